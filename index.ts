import * as pulumi from "@pulumi/pulumi";
import { bundleServices } from "./bundle";
import { AccessControl } from "./components/access-control";
import { Cluster } from "./components/cluster";
import { Images } from "./components/images";
import { KeyMaterial } from "./components/key-material";
import { Monitor } from "./components/monitor";
import { Service } from "./components/service";
import { Snapshots } from "./components/snapshots";
import { preflight } from "./preflight";
import { planRoll } from "./roll";
import { claimedImages, claimedPorts, readSettings } from "./settings";

/** Composes the datacenter; what it returns are the stack's outputs. */
export = async () => {
  const settings = readSettings();
  const owner = { project: pulumi.getProject(), stack: pulumi.getStack() };
  const [bundled, roll] = await Promise.all([
    bundleServices(settings.services),
    planRoll(owner),
    preflight({ ...settings, owner, ports: claimedPorts(settings), images: claimedImages(settings) }),
  ]);

  const images = new Images("images", settings);
  const keys = settings.insecure ? undefined : new KeyMaterial("keys", settings);
  const datacenter = new Cluster("consul", {
    ...settings,
    owner,
    keys,
    imageId: images.consulId,
    ...roll,
  });
  const access =
    datacenter.agentSecrets === undefined
      ? undefined
      : new AccessControl("access", {
          ...settings,
          owner,
          datacenter,
          agentSecrets: datacenter.agentSecrets,
          imageId: images.consulId,
        });

  const monitor = {
    ...settings,
    owner,
    datacenter,
    credentials: access?.monitor,
    imageId: images.monitorId,
    memoryMb: settings.monitorMemoryMb,
  };
  const first = new Monitor("monitor-1", { ...monitor, number: 1 });
  new Monitor("monitor-2", { ...monitor, number: 2 }, { dependsOn: roll.inTurn("monitor-2", [first]) });

  if (settings.snapshots !== undefined) {
    new Snapshots("snapshots", {
      ...settings.snapshots,
      owner,
      datacenter,
      credentials: access?.snapshots,
      imageId: images.consulId,
    });
  }

  const services = bundled.map(
    (service) =>
      new Service(service.name, {
        ...settings,
        ...service,
        owner,
        inTurn: roll.inTurn,
        datacenter,
        credentials: access?.services.get(service.name),
        baseImage: images.nodeName,
      }),
  );

  // Pulumi warns of outputs without a value.
  return defined({
    uiUrl: pulumi.interpolate`${datacenter.httpApiUrl}/ui`,
    httpApiUrl: datacenter.httpApiUrl,
    gatewayUrl: services.find(({ name }) => name === "gateway")?.url,
    dnsAddress: datacenter.dnsAddress,
    datacenter: settings.datacenter,
    caCertificate: keys?.caCertificate,
    certificateExpiries: keys?.expiries,
    managementToken: keys?.managementToken,
    snapshots: settings.snapshots,
    members: datacenter.members,
    services: Object.fromEntries(services.map((service) => [service.name, service.instances])),
  });
};

function defined<T extends object>(outputs: T): T {
  return Object.fromEntries(Object.entries(outputs).filter(([, value]) => value !== undefined)) as T;
}
