// Words of polls.
import { defineStrings } from "../i18n/strings.ts";

export const strings = defineStrings({
  en: { closed: "Closed", closePoll: "Close poll", votes: (n: number) => `${n} ${n === 1 ? "vote" : "votes"}`, chosen: "your choice" },
  zh: { closed: "已结束", closePoll: "结束投票", votes: (n: number) => `${n} 票`, chosen: "你的选择" },
});
