import { type Ask, type CallOptions, type Calls, given } from "./calls.js";
import type { App } from "./wire.js";

/** The app's settings. */
export interface Apps {
  /** Returns the app's settings and its use. */
  app(options?: CallOptions): Promise<App>;
  /**
   * Changes what the request sets and leaves the rest. A login policy applies to the next sign-in, everything else at
   * once, on every node.
   */
  updateApp(request: Ask<"AdminService/UpdateApp">, options?: CallOptions): Promise<App>;
}

export const apps = ({ ask }: Calls): Apps => ({
  app: async (options) => given((await ask("AdminService/GetApp", {}, options)).app),
  updateApp: async (request, options) => given((await ask("AdminService/UpdateApp", request, options)).app),
});
