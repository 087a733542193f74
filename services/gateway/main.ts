import { Runtime } from "@consul-docker/runtime";
import { Catalog } from "@consul-docker/protocol";
import { createApp } from "./app";

const runtime = new Runtime();
const catalog = runtime.client(Catalog, { service: "catalog", hedgeAfterMs: 250 });

void runtime.run(createApp({ ...runtime.server, instance: runtime.env.instanceName, catalog }));
