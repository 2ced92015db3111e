import { expect, test } from "vitest";
import { deviceName, forgetSession, loadSession, readToken, saveSession, type Session } from "../src/app/session.ts";

class Memory {
  readonly kept = new Map<string, string>();
  getItem(key: string) {
    return this.kept.get(key) ?? null;
  }
  setItem(key: string, value: string) {
    this.kept.set(key, value);
  }
  removeItem(key: string) {
    this.kept.delete(key);
  }
}

const alice: Session = { kind: "demo", appId: "demo", user: "alice" };
const bob: Session = { kind: "demo", appId: "demo", user: "bob" };
const jwt = (claims: object) =>
  `e30.${btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(claims)))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}.c2ln`;

test("a tab keeps its user while another tab signs in as somebody else", () => {
  const browser = new Memory();
  const first = { tab: new Memory(), browser };
  const second = { tab: new Memory(), browser };
  saveSession(first, alice);
  saveSession(second, bob);
  expect(loadSession(first)).toEqual(alice);
  expect(loadSession(second)).toEqual(bob);
  expect(loadSession({ tab: new Memory(), browser })).toEqual(bob);
});

test("signing out forgets one's own session and leaves the other tab's", () => {
  const browser = new Memory();
  const first = { tab: new Memory(), browser };
  saveSession(first, alice);
  saveSession({ tab: new Memory(), browser }, bob);
  forgetSession(first, alice);
  expect(loadSession(first)).toEqual(bob);
});

test("what is not a session is none", () => {
  for (const text of ["", "{", "null", "[]", '{"kind":"demo"}', '{"kind":"token","appId":"a","user":"u"}', '{"kind":"x","appId":"a","user":"u"}']) {
    const tab = new Memory();
    tab.setItem("skein.web.session", text);
    expect(loadSession({ tab, browser: undefined }), text).toBeUndefined();
  }
});

test("a token is read without being believed", () => {
  expect(readToken(jwt({ iss: "shop", sub: "王小明", exp: 1_800_000_000 }))).toEqual({
    app: "shop", user: "王小明", expires: 1_800_000_000_000,
  });
  expect(readToken(` ${jwt({ sub: "a" })}\n`)).toEqual({ app: "", user: "a", expires: undefined });
  for (const bad of ["", "a.b", "a.b.c.d", "a.%%%.c", `a.${btoa("3")}.c`]) expect(readToken(bad), bad).toBeUndefined();
});

test("a browser is named so that a person knows it again", () => {
  const name = (agent: string) => deviceName(`Mozilla/5.0 ${agent}`);
  expect(name("(X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36")).toBe("Chrome on Linux");
  expect(name("(Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0")).toBe("Edge on Windows");
  expect(name("(iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Safari/604.1")).toBe("Safari on iOS");
  expect(name("(Macintosh; Intel Mac OS X 15.0; rv:140.0) Gecko Firefox/140.0")).toBe("Firefox on macOS");
  expect(deviceName("")).toBe("Browser");
});
