// One visit to a RouterOS API by node-routeros: what it lists, an entry of an address list made and removed, one session ended, one command refused; told as JSON.
// Argument: {host, port, user, password, certificate (a file; none: no TLS), list, end (a username)}.
"use strict";
const { readFileSync } = require("node:fs");
const { RouterOSAPI } = require("node-routeros");

const asked = JSON.parse(process.argv[2]);
const tls = asked.certificate === null ? undefined : { ca: readFileSync(asked.certificate) };
const api = new RouterOSAPI({ ...asked, tls, timeout: 10 });

async function visit() {
    await api.connect();
    const lists = {};
    for (const path of asked.list) {
        lists[path] = await api.write(`${path}/print`);
    }
    const entry = ["=list=slow", "=address=100.64.0.2", "=comment=ours", "=timeout=1h"];
    const [{ ret }] = await api.write("/ip/firewall/address-list/add", entry);
    const twice = await api.write("/ip/firewall/address-list/add", entry).then(() => null, (error) => error.message);
    const [made] = await api.write("/ip/firewall/address-list/print", ["?list=slow"]);
    await api.write("/ip/firewall/address-list/remove", [`=.id=${ret}`]);
    const [session] = await api.write("/ppp/active/print", [`?name=${asked.end}`, "=.proplist=.id,name"]);
    await api.write("/ppp/active/remove", [`=.id=${session[".id"]}`]);
    const refused = await api.write("/system/reboot").then(() => null, (error) => error.message);
    await api.close();
    return { lists, session, refused, entry: made, twice };
}

visit().then(
    (told) => process.stdout.write(`${JSON.stringify(told)}\n`),
    (error) => {
        process.stderr.write(`${error.message}\n`);
        process.exit(1);
    },
);
