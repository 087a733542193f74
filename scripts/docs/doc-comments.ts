import { readFileSync } from "node:fs";
import ts from "typescript";

/** What the comment before a member says. */
export interface DocComment {
  readonly text: string;
  /** Behind `@default`. */
  readonly byDefault: string | undefined;
}

/** The comments of the members of the first object in each top-level constant of a file, by constant and member. */
export function docComments(file: string): Map<string, Map<string, DocComment>> {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
  const constants = source.statements
    .filter(ts.isVariableStatement)
    .flatMap(({ declarationList }) => [...declarationList.declarations]);
  return new Map(
    constants.flatMap(({ name, initializer }): [string, Map<string, DocComment>][] => {
      const members = initializer === undefined ? undefined : firstObject(initializer);
      return members === undefined ? [] : [[name.getText(), commentsIn(members)]];
    }),
  );
}

function firstObject(node: ts.Node): ts.ObjectLiteralExpression | undefined {
  return ts.isObjectLiteralExpression(node) ? node : ts.forEachChild(node, firstObject);
}

function commentsIn({ properties }: ts.ObjectLiteralExpression): Map<string, DocComment> {
  return new Map(
    properties.flatMap((property): [string, DocComment][] => {
      const comment = ts.getJSDocCommentsAndTags(property).find(ts.isJSDoc);
      if (comment === undefined) return [];
      const tag = comment.tags?.find(({ tagName }) => tagName.text === "default");
      return [
        [
          property.name?.getText() ?? "",
          { text: words(comment.comment) ?? "", byDefault: words(tag?.comment) },
        ],
      ];
    }),
  );
}

function words(comment: string | ts.NodeArray<ts.JSDocComment> | undefined): string | undefined {
  return ts.getTextOfJSDocComment(comment)?.replaceAll(/\s+/g, " ");
}
