import * as pulumi from "@pulumi/pulumi";
import { bundleServices } from "./bundle";
import { AccessControl } from "./components/access-control";
import { Cluster } from "./components/cluster";
import { Images } from "./components/images";
import { onHost, through, type Host } from "./components/host";
import { KeyMaterial } from "./components/key-material";
import { Monitor } from "./components/monitor";
import { Service } from "./components/service";
import { Snapshots } from "./components/snapshots";
import { Starter } from "./components/starter";
import { preflight } from "./preflight";
import { platformOf } from "./platform";
import { planRoll } from "./roll";
import { claimedImages, claimedPorts, enginesOf, readSettings } from "./settings";

/** Composes the datacenter; what it returns are the stack's outputs. */
export = async () => {
  const settings = readSettings();
  const owner = { project: pulumi.getProject(), stack: pulumi.getStack() };
  const engines = enginesOf(settings);
  const [bundled, roll] = await Promise.all([
    bundleServices(settings.services),
    planRoll(owner, engines),
    preflight({
      ...settings,
      owner,
      engines,
      ports: claimedPorts(settings),
      images: claimedImages(settings),
    }),
  ]);

  const platform = await platformOf(settings);
  const images = new Images("images", { ...settings, owner, platform, services: bundled });
  for (const { host, path } of platform.unreliable) {
    new Starter(
      onHost("starter", host),
      { owner, host, socketPath: path, imageId: images.nodeIdOn(host) },
      through(host),
    );
  }
  const keys = settings.insecure ? undefined : new KeyMaterial("keys", settings);
  const datacenter = new Cluster("consul", {
    ...settings,
    owner,
    platform,
    keys,
    imageIdOn: images.consulIdOn,
    ...roll,
  });
  const access =
    datacenter.agentSecrets === undefined
      ? undefined
      : new AccessControl("access", {
          ...settings,
          owner,
          platform,
          datacenter,
          agentSecrets: datacenter.agentSecrets,
          imageIdOn: images.consulIdOn,
        });

  const monitors: Monitor[] = [];
  const watches = platform
    .place(2)
    .map((host, index) => ({ name: `monitor-${index + 1}`, number: index + 1, host }));
  for (const { name, number, host } of watches) {
    monitors.push(
      new Monitor(
        name,
        {
          ...settings,
          owner,
          host,
          datacenter,
          credentials: access?.monitor,
          imageId: images.monitorIdOn(host),
          memoryMb: settings.monitorMemoryMb,
          number,
          passingThreshold: settings.monitorPassingThreshold,
          criticalThreshold: settings.monitorCriticalThreshold,
        },
        { dependsOn: roll.inTurn(name, monitors), ...through(host) },
      ),
    );
  }

  if (settings.snapshots !== undefined) {
    const [host] = platform.place(1) as [Host];
    new Snapshots(
      "snapshots",
      {
        ...settings.snapshots,
        owner,
        host,
        datacenter,
        credentials: access?.snapshots,
        imageId: images.consulIdOn(host),
      },
      through(host),
    );
  }

  const services = bundled.map(
    (service) =>
      new Service(
        service.name,
        {
          ...settings,
          ...service,
          owner,
          platform,
          inTurn: roll.inTurn,
          datacenter,
          credentials: access?.services.get(service.name),
          baseImage: images.nodeName,
          image: images.ofServices.get(service.name),
        },
        { dependsOn: images },
      ),
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
    hosts: settings.hosts.length === 0 ? undefined : settings.hosts,
    members: datacenter.members,
    monitors: watches.map(({ name }) => name),
    services: Object.fromEntries(services.map((service) => [service.name, service.instances])),
  });
};

function defined<T extends object>(outputs: T): T {
  return Object.fromEntries(Object.entries(outputs).filter(([, value]) => value !== undefined)) as T;
}
