// What the app uses of the SDK's words for files.
export type { Attachment } from "@skein/client/messages";
export type { NewFile, Transfer, TransferItem } from "@skein/client/files";
