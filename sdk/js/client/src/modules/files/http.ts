// One HTTP request, with progress where the platform tells of it.

/** A request that brings bytes. */
export interface HttpRequest {
  readonly method: "POST" | "HEAD" | "PATCH" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Blob | undefined;
  readonly signal: AbortSignal;
  /** Hears how many bytes of the body have gone out, where the platform tells. */
  readonly onProgress?: ((sent: number) => void) | undefined;
}

/** Its answer. */
export interface HttpAnswer {
  readonly status: number;
  header(name: string): string | null;
  readonly text: string;
}

/** Makes a request. Rejects when there is no answer. */
export type Http = (request: HttpRequest) => Promise<HttpAnswer>;

async function overFetch({ method, url, headers, body, signal }: HttpRequest): Promise<HttpAnswer> {
  const answer = await fetch(url, { method, headers, body: body ?? null, signal, credentials: "omit", cache: "no-store" });
  const text = await answer.text();
  return { status: answer.status, header: (name) => answer.headers.get(name), text };
}

/** fetch does not tell how far a body has gone. */
function overXhr({ method, url, headers, body, signal, onProgress }: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const end = (): void => signal.removeEventListener("abort", abort);
    const fail = (): void => {
      end();
      reject(new TypeError("the request failed"));
    };
    const abort = (): void => xhr.abort();
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    if (onProgress) xhr.upload.onprogress = ({ loaded }) => onProgress(loaded);
    xhr.onerror = fail;
    xhr.onabort = fail;
    xhr.onload = () => {
      end();
      resolve({ status: xhr.status, header: (name) => xhr.getResponseHeader(name), text: xhr.responseText });
    };
    signal.addEventListener("abort", abort);
    if (signal.aborted) fail();
    else xhr.send(body ?? null);
  });
}

/** The platform's own. */
export const platformHttp: Http = (request) => (typeof XMLHttpRequest === "undefined" ? overFetch(request) : overXhr(request));
