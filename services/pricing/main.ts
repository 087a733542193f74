import { Consul, Health, LiveConfig, createLogger, readEnv, start } from "@consul-docker/runtime";
import { createApp, pricingConfig } from "./app";

const env = readEnv();
const log = createLogger(env);
const consul = new Consul({ addresses: env.consulAddresses, tokenFile: env.consulTokenFile });
const config = new LiveConfig({ consul, service: env.serviceName, schema: pricingConfig, log });
const health = new Health({ config });

const app = createApp({ log, health, instance: env.instanceName, config });
void start(app, { port: env.port, health, follows: [config] });
