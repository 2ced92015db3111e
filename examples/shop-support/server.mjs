// A shop's back end as far as support needs one: it knows its visitors by a
// cookie and its staff by a password, and signs a token for each of them.
// Everything else goes straight from the pages to Skein.
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const { SKEIN_KID, SKEIN_SECRET, STAFF_PASSWORD = "" } = process.env;
const endpoint = process.env.SKEIN_ENDPOINT ?? "http://127.0.0.1:8080";
const port = Number(process.env.PORT ?? 3000);
if (!SKEIN_KID || !SKEIN_SECRET || !STAFF_PASSWORD) throw new Error("set SKEIN_KID, SKEIN_SECRET and STAFF_PASSWORD");

const base64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const mac = (text) => createHmac("sha256", SKEIN_SECRET).update(text).digest("base64url");
const same = (a, b) => timingSafeEqual(Buffer.from(mac(a)), Buffer.from(mac(b)));

/** A JWT that is good for an hour. */
function tokenFor(user) {
  const now = Math.floor(Date.now() / 1000);
  const text = `${base64({ alg: "HS256", typ: "JWT", kid: SKEIN_KID })}.${base64({ iss: "shop", sub: user, aud: "skein", iat: now, exp: now + 3600 })}`;
  return `${text}.${mac(text)}`;
}

/** The visitor's id out of a cookie that only this back end can have made, or a new one. */
function visitor(request, response) {
  const [, id, seal] = /(?:^|; )visitor=([\w-]+)\.([\w-]+)/.exec(request.headers.cookie ?? "") ?? [];
  if (id && same(seal, mac(`visitor ${id}`))) return id;
  const made = `visitor-${randomUUID().slice(0, 8)}`;
  response.setHeader("Set-Cookie", `visitor=${made}.${mac(`visitor ${made}`)}; HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000`);
  return made;
}

/** Whether the browser has sent the staff's password. */
function isStaff(request) {
  const [, login = ""] = /^Basic (.+)$/.exec(request.headers.authorization ?? "") ?? [];
  return same(Buffer.from(login, "base64").toString().split(":").slice(1).join(":"), STAFF_PASSWORD);
}

async function page(response, file) {
  const html = await readFile(new URL(file, import.meta.url), "utf8");
  response.setHeader("Content-Type", "text/html; charset=utf-8").end(html.replaceAll("{{endpoint}}", endpoint));
}

createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://127.0.0.1");
  if (pathname.startsWith("/staff") && !isStaff(request)) {
    response.writeHead(401, { "WWW-Authenticate": 'Basic realm="staff"' }).end();
  } else if (pathname === "/staff") await page(response, "staff.html");
  else if (pathname === "/staff/token") response.end(tokenFor("support"));
  else if (pathname === "/") {
    visitor(request, response);
    await page(response, "shop.html");
  } else if (pathname === "/token") response.end(tokenFor(visitor(request, response)));
  else response.writeHead(404).end();
}).listen(port, "127.0.0.1", () => console.log(`the shop: http://127.0.0.1:${port}  the staff: http://127.0.0.1:${port}/staff`));
