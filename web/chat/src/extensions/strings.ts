// Words of what an app hangs on a message.
import { defineStrings } from "../i18n/strings.ts";

export const strings = defineStrings({
  en: {
    extensions: "Extensions",
    count: (n: number) => `Extensions (${n})`,
    text: "Values that an app keeps with a message, for everybody who sees it.",
    none: "There are none on this message.",
    key: "Key",
    value: "Value",
    set: "Set",
    remove: (key: string) => `Remove ${key}`,
    bytes: (n: number) => (n === 1 ? "1 byte" : `${n} bytes`),
  },
  zh: {
    extensions: "扩展数据",
    count: (n) => `扩展数据（${n}）`,
    text: "应用随消息保存的数据，看得到消息的人都看得到。",
    none: "这条消息没有扩展数据。",
    key: "键",
    value: "值",
    set: "设置",
    remove: (key) => `删除 ${key}`,
    bytes: (n) => `${n} 字节`,
  },
});
