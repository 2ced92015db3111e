// Words of the list of everything that was sent in a conversation.
import { defineStrings } from "../../i18n/strings.ts";

export const strings = defineStrings({
  en: {
    open: "Media, files, voice, links",
    title: "Media and files",
    media: "Media",
    file: "Files",
    voice: "Voice",
    link: "Links",
    noMedia: "No photos or videos yet",
    noFiles: "No files yet",
    noVoice: "No voice messages yet",
    noLinks: "No links yet",
    emptyText: "What is sent here is found under this tab.",
    more: "Show older",
    failed: "This could not be loaded.",
    goTo: "Go to the message",
  },
  zh: {
    open: "媒体、文件、语音、链接",
    title: "媒体与文件",
    media: "媒体",
    file: "文件",
    voice: "语音",
    link: "链接",
    noMedia: "还没有照片或视频",
    noFiles: "还没有文件",
    noVoice: "还没有语音消息",
    noLinks: "还没有链接",
    emptyText: "在这里发送的内容会显示在此标签下。",
    more: "显示更早的",
    failed: "无法加载。",
    goTo: "查看原消息",
  },
});
