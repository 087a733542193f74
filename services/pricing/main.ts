import { Runtime } from "@consul-docker/runtime";
import { createApp, pricingConfig } from "./app";

const runtime = new Runtime();
const config = runtime.config(pricingConfig);

void runtime.run(createApp({ ...runtime.server, instance: runtime.env.instanceName, config }));
