// The tutorial's programs with this session's values in them, ready to run.

/** What is filled in. */
export interface SnippetValues {
  readonly endpoint: string;
  readonly appId: string;
  readonly user: string;
  readonly token: string;
  /** Who the message goes to. */
  readonly peer: string;
}

/** The programs there are. */
export type SnippetName = "page" | "node" | "go";

/** A value as a literal of the language; "<" is escaped so that it cannot end a script element. */
function literal(value: string): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/** All programs, filled in. */
export function snippets(values: SnippetValues): Record<SnippetName, string> {
  const v = {
    endpoint: literal(values.endpoint),
    module: literal(`${values.endpoint}/skein-client.js`),
    app: literal(values.appId),
    token: literal(values.token),
    peer: literal(values.peer),
  };
  return {
    page: `<!doctype html>
<meta charset="utf-8">
<title>My first chat</title>
<form><input autofocus placeholder="Write to ${values.peer.replace(/[&<>"]/g, "")}"><button>Send</button></form>
<ol></ol>
<script type="module">
  // Open it from a web server, whose origin the chat server has to allow:
  //   skein serve --dev --allowed-origins http://localhost:3000
  import { createClient } from ${v.module};

  const im = createClient({
    endpoint: ${v.endpoint},
    appId: ${v.app},
    // In your product: () => fetch("/my-token").then((r) => r.text())
    token: () => ${v.token},
  });
  const show = ({ message }) => {
    const line = document.createElement("li");
    line.textContent = message.sender + ": " + message.text + " (" + message.state + ")";
    document.getElementById(message.key)?.remove();
    document.querySelector("ol").append(Object.assign(line, { id: message.key }));
  };
  im.on("message", show);
  im.on("messageUpdated", show);
  document.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    const text = document.querySelector("input").value;
    event.target.reset();
    await im.ready;
    if (text) im.conversation.with(${v.peer}).sendLocal({ text });
  };
  await im.connect();
</script>
`,
    node: `// npm install @skein/client, then: node hello.mjs
import { createClient } from "@skein/client";

const im = createClient({
  endpoint: ${v.endpoint},
  appId: ${v.app},
  // In your product: ask your own back end, which signs it.
  token: () => ${v.token},
});
await im.connect();

const chat = im.conversation.with(${v.peer});
const sent = await chat.send({ text: "Hello from Node" });
console.log("stored as message", sent.seq);

await im.close();
`,
    go: `// go get github.com/skein-im/skein, then: go run .
package main

import (
	"context"
	"log"

	skein "github.com/skein-im/skein/sdk/go"
)

func main() {
	ctx := context.Background()
	im, err := skein.New(skein.Options{
		Endpoint: ${v.endpoint},
		AppID:    ${v.app},
		// In your product: ask your own back end, which signs it.
		Token: func(context.Context) (string, error) { return ${v.token}, nil },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer im.Close()
	if err := im.Connect(ctx); err != nil {
		log.Fatal(err)
	}
	sent, err := im.With(${v.peer}).Send(ctx, skein.Outgoing{Text: "Hello from Go"})
	if err != nil {
		log.Fatal(err)
	}
	log.Println("stored as message", sent.Seq)
}
`,
  };
}
