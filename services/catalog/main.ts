import {
  Consul,
  ConsulRegistry,
  Health,
  createLogger,
  readEnv,
  serviceTransport,
  start,
} from "@consul-docker/runtime";
import { Pricing } from "@consul-docker/protocol";
import { createClient } from "@connectrpc/connect";
import { createApp } from "./app";

const env = readEnv();
const log = createLogger(env);
const consul = new Consul({ addresses: env.consulAddresses, tokenFile: env.consulTokenFile });
const registry = new ConsulRegistry(consul, log);
const health = new Health({ registry });
const pricing = createClient(Pricing, serviceTransport({ service: "pricing", registry }));

const app = createApp({ log, health, instance: env.instanceName, pricing });
void start(app, { port: env.port, health, follows: [registry] });
