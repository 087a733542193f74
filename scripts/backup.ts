import { consulImage, enginesOf } from "./clients";
import { ConsulApi } from "./consul-api";
import { inspectSnapshot, saveSnapshot } from "./snapshot-file";
import { main, stackName, stackOutputs } from "./stack";

// npm run backup [-- FILE]: a verified snapshot of the datacenter in a file.
main(async () => {
  const outputs = await stackOutputs();
  const image = await consulImage(await stackName(), enginesOf(outputs));
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const file = process.argv[2] ?? `backups/${outputs.datacenter}-${time}.snap`;

  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"])
    process.once(signal, () => {
      interrupted.abort();
    });
  const { index, bytes } = await saveSnapshot(
    new ConsulApi(outputs),
    file,
    (partial) => inspectSnapshot(partial, image),
    interrupted.signal,
  );
  console.log(`saved ${file}: ${bytes} bytes, verified, index ${index}`);
  console.log("whoever can read this file has every token and every key of the datacenter");
  return 0;
});
