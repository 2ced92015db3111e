// Written by scripts/gen-wire.mjs from src/gen and wire.json; `npm run gen -w @skein/client` writes it again.
// What the fields mean stands in proto/skein/v1.
import { type Rest, core, schemaOf } from "../../wire/codec.js";
import { callOf } from "../../wire/piece.js";

export interface AnswerSignInCodeRequest extends Rest {
  code: string;
  approve: boolean;
}

export interface AnswerSignInCodeResponse extends Rest {
}

export interface GetSignInCodeRequest extends Rest {
  code: string;
}

export interface GetSignInCodeResponse extends Rest {
  deviceName: string;
  platform: number;
  address: string;
  createdUs: number;
}

const schema = /* @__PURE__ */ schemaOf(
  {
    AnswerSignInCodeRequest: "1scode 2oapprove",
    AnswerSignInCodeResponse: "",
    GetSignInCodeRequest: "1scode",
    GetSignInCodeResponse: "1sdeviceName 2eplatform:Platform 3saddress 4icreatedUs",
  },
  core,
);


/** The module's unary calls. */
export const calls = {
  GetSignInCode: /* @__PURE__ */ callOf<GetSignInCodeRequest, GetSignInCodeResponse>(schema, "SignInService/GetSignInCode"),
  AnswerSignInCode: /* @__PURE__ */ callOf<AnswerSignInCodeRequest, AnswerSignInCodeResponse>(schema, "SignInService/AnswerSignInCode"),
} as const;

/** The values of Platform by number. */
export const platformNames = ["unspecified","web","android","ios","desktop","server"] as const;
