import { KeyMaterial } from "../../components/key-material";
import { create, mockPulumi } from "./mocks";

test("a preview makes no certificate: it takes those that the state holds", async () => {
  await mockPulumi({ preview: true });
  const { registrations } = await create(
    () => new KeyMaterial("keys", { datacenter: "dc7", bindAddress: "127.0.0.1", apiNames: [] }),
  );
  expect(registrations.length).toBeGreaterThan(0);
  expect(JSON.stringify(registrations)).not.toContain("CERTIFICATE");
});
