import type { HttpRequest, HttpResponse, Socket, SocketHandlers, Transport } from "./types/transport.js";

/** The part of a WebSocket that is used, so that Node's stand-in need not be a whole DOM object. */
export interface WebSocketLike {
  binaryType: string;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  onerror: (() => void) | null;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/** How a WebSocket is made. */
export type WebSocketMaker = (url: string, protocol: string) => WebSocketLike;

const graceMs = 3_000;

/** A transport over a WebSocket and the platform's fetch. */
export function socketTransport(make: WebSocketMaker): Transport {
  return {
    connect(url: string, protocol: string, handlers: SocketHandlers): Socket {
      let ended = false;
      let grace: ReturnType<typeof setTimeout> | undefined;
      let ws: WebSocketLike | undefined;
      const end = (code: number, reason: string): void => {
        if (ended) return;
        ended = true;
        clearTimeout(grace);
        handlers.close(code, reason);
      };
      try {
        ws = make(url, protocol);
      } catch (error) {
        queueMicrotask(() => end(1006, String(error)));
        return { send: () => undefined, close: () => undefined };
      }
      let opened = false;
      ws.binaryType = "arraybuffer";
      ws.onopen = () => {
        opened = true;
        if (!ended) handlers.open();
      };
      ws.onmessage = ({ data }) => {
        if (!ended && data instanceof ArrayBuffer) handlers.message(new Uint8Array(data));
      };
      ws.onclose = ({ code, reason }) => end(code, reason);
      ws.onerror = () => undefined;
      return {
        send(data: Uint8Array): void {
          if (opened && !ended) ws.send(data);
        },
        close(code: number, reason: string): void {
          // A peer that is gone never answers, and browsers wait for it for long.
          grace = setTimeout(() => end(1006, "closed without an answer"), graceMs);
          ws.close(code, reason);
        },
      };
    },

    async post({ url, headers, body, signal }: HttpRequest): Promise<HttpResponse> {
      const init = { method: "POST", headers, body: body as Uint8Array<ArrayBuffer>, signal, credentials: "omit", cache: "no-store" } as const;
      const response = await fetch(url, init);
      return {
        status: response.status,
        contentType: response.headers.get("content-type") ?? "",
        body: new Uint8Array(await response.arrayBuffer()),
      };
    },
  };
}

/** The platform's own WebSocket and fetch: browsers, workers, Node from 22 on. */
export function platformTransport(): Transport {
  return socketTransport((url, protocol) => new WebSocket(url, protocol) as unknown as WebSocketLike);
}
