/** What a socket tells its owner. No call comes after `close`. */
export interface SocketHandlers {
  open(): void;
  /** One packet. */
  message(data: Uint8Array): void;
  /** The end, by whomever: the WebSocket close code (1006 when there was none) and reason. */
  close(code: number, reason: string): void;
}

/** One WebSocket connection. */
export interface Socket {
  /** Queues one binary packet. After the end it does nothing. */
  send(data: Uint8Array): void;
  /** Begins to close; `close` of the handlers follows, also when the peer does not answer. */
  close(code: number, reason: string): void;
}

/** One HTTP call. The answer's status is not an error of the transport. */
export interface HttpRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly signal: AbortSignal;
}

/** Its answer. */
export interface HttpResponse {
  readonly status: number;
  /** The Content-Type header, empty when there was none. */
  readonly contentType: string;
  readonly body: Uint8Array;
}

/**
 * How bytes get to the server and back. The defaults use the platform's WebSocket and fetch; a test
 * gives a twin in memory.
 */
export interface Transport {
  /** Opens a WebSocket. Never throws: a failure is a `close`, later than the return. */
  connect(url: string, protocol: string, handlers: SocketHandlers): Socket;
  /** Sends a POST. Rejects when there is no answer. */
  post(request: HttpRequest): Promise<HttpResponse>;
}
