// Drives the TypeScript SDK for the behaviour scripts: all the devices of one script in one process, commands on stdin and
// answers on stdout, one JSON object a line.
//
//   in:  {"id":1,"driver":0,"open":[endpoint, app id, user, device]}
//        {"id":2,"driver":0,"verb":"send","conversation":"@3:ann:bob","text":"hi"}
//   out: {"id":2,"result":{...}} | {"id":2,"failure":{"code":"not_found",...}} | {"driver":0,"changed":true}
//
// The store of a device outlives a "restart": it is an IndexedDB of its own kept by this process, as a browser keeps it
// over a reload.
//
// device.mjs is a device, and the other files of this folder are its parts: each adds a domain's modules and
// verbs, and is found by itself. A part exports
//   modules: {name: factory()}, what createClient gets (optional);
//   verbs: (driver) => ({verb: async (command) => result}), where driver has
//     client (the getter), at(command), find(command, id), outgoing(command), message(m);
//   message: (m, client) => ({…}), what it adds to the view of a message (optional);
//   conversation: (c, client) => ({…}), the same of a conversation (optional);
//   listen: (client, changed) => void, calls changed when its view changes (optional).
import "fake-indexeddb/auto";
import { createInterface } from "node:readline";
import { SkeinError } from "@skein/client/core";
import { openDevice } from "./device.mjs";

const write = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const devices = new Map();

for await (const line of createInterface({ input: process.stdin })) {
  const { id, driver, open, ...command } = JSON.parse(line);
  if (open) devices.set(driver, openDevice(driver, open, () => write({ driver, changed: true })));
  void (async () => {
    try {
      const verbs = await devices.get(driver);
      const verb = open ? () => null : verbs[command.verb];
      if (!verb) throw new Error(`no verb ${command.verb}`);
      write({ id, result: (await verb(command)) ?? null });
    } catch (error) {
      if (error instanceof SkeinError) write({ id, failure: { code: error.code, message: error.message } });
      else write({ id, error: String(error?.stack ?? error) });
    }
  })();
}
await Promise.all([...devices.values()].map(async (verbs) => (await verbs).end()));
process.exit(0);
