// The SDK as one file at a fixed address, for a page without a bundler:
//   import { createClient } from "https://chat.example.com/skein-client.js";
export * from "@skein/client";
