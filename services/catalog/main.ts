import { Runtime } from "@consul-docker/runtime";
import { Pricing } from "@consul-docker/protocol";
import { createApp } from "./app";

const runtime = new Runtime();
const pricing = runtime.client(Pricing, { service: "pricing", hedgeAfterMs: 150 });

void runtime.run(createApp({ ...runtime.server, instance: runtime.env.instanceName, pricing }));
