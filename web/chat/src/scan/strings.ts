// Words of reading QR codes.
import { defineStrings } from "../i18n/strings.ts";

export const strings = defineStrings({
  en: {
    scan: "Scan a QR code",
    aim: "Hold the code in front of the camera.",
    noCamera: "The camera cannot be used here. Choose a picture of the code instead.",
    picture: "Choose a picture",
    nothing: "No QR code was found in the picture.",
  },
  zh: {
    scan: "扫描二维码",
    aim: "将二维码对准摄像头。",
    noCamera: "这里无法使用摄像头，请选择一张二维码图片。",
    picture: "选择图片",
    nothing: "图片里没有找到二维码。",
  },
});
