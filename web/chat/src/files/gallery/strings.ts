// Words of the gallery.
import { defineStrings } from "../../i18n/strings.ts";

export const strings = defineStrings({
  en: {
    gallery: "Pictures and videos",
    position: (i: number, n: string) => `${i} of ${n}`,
    previous: "Older",
    next: "Newer",
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
    forward: "Forward",
    jump: "Go to the message",
    cannotShow: "This picture cannot be shown here.",
    cannotPlay: "This video cannot be played here. Save it to watch it elsewhere.",
    loading: "Loading…",
  },
  zh: {
    gallery: "图片和视频",
    position: (i: number, n: string) => `第 ${i} 项，共 ${n} 项`,
    previous: "更早",
    next: "更新",
    zoomIn: "放大",
    zoomOut: "缩小",
    forward: "转发",
    jump: "查看原消息",
    cannotShow: "无法在此显示这张图片。",
    cannotPlay: "无法在此播放此视频。请保存后用其他应用观看。",
    loading: "加载中…",
  },
});
