// Words of pinned messages.
import { defineStrings } from "../i18n/strings.ts";

export const strings = defineStrings({
  en: {
    pin: "Pin",
    unpin: "Unpin",
    pinned: "Pinned message",
    place: (n: number, of: number) => `${n} of ${of}`,
    all: "Pinned messages",
    none: "Nothing is pinned here.",
    show: "Show in the conversation",
    by: (user: string, time: string) => `Pinned by ${user}, ${time}`,
    showIt: "Show",
  },
  zh: {
    pin: "置顶",
    unpin: "取消置顶",
    pinned: "置顶消息",
    place: (n, of) => `第 ${n} 条，共 ${of} 条`,
    all: "所有置顶消息",
    none: "这里没有置顶消息。",
    show: "在会话中查看",
    by: (user, time) => `由 ${user} 置顶，${time}`,
    showIt: "查看",
  },
});
