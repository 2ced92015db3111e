// The emoji that the picker offers: a few hundred that people use, in the
// order of the Unicode groups. A list of our own rather than a package of all
// 3,700 with their names, which would be larger than the rest of the app.

/** The groups, in the picker's order. */
export const emojiGroups = ["smileys", "people", "nature", "food", "things", "symbols"] as const;

/** A group's name. */
export type EmojiGroup = (typeof emojiGroups)[number];

const text: Record<EmojiGroup, string> = {
  smileys:
    "😀 😃 😄 😁 😆 😅 🤣 😂 🙂 🙃 😉 😊 😇 🥰 😍 🤩 😘 😗 😚 😙 😋 😛 😜 🤪 😝 🤑 🤗 🤭 🤫 🤔 🤐 🤨 😐 😑 😶 😏 😒 🙄 😬 😌 😔 😪 🤤 😴 😷 🤒 🤕 🤢 🤮 🤧 🥵 🥶 🥴 😵 🤯 🤠 🥳 😎 🤓 🧐 😕 😟 🙁 😮 😯 😲 😳 🥺 😦 😧 😨 😰 😥 😢 😭 😱 😖 😣 😞 😓 😩 😫 🥱 😤 😡 😠 🤬 😈 💀 💩 🤡 👻 👽 🤖 😺 😸 😹 😻 😼 🙀 😿",
  people:
    "👋 🤚 🖐️ ✋ 🖖 👌 🤏 ✌️ 🤞 🤟 🤘 🤙 👈 👉 👆 👇 ☝️ 👍 👎 ✊ 👊 🤛 🤜 👏 🙌 👐 🤲 🤝 🙏 ✍️ 💅 💪 🦾 👀 🧠 👂 👃 👶 🧒 👩 👨 🧑 👵 👴 🙋 🤷 🤦 🙇 💁 🙆 🙅 🧑‍💻 🧑‍🎨 🧑‍🍳 🧑‍🚀 🕵️ 🦸 🧙 🧘 🏃 💃 🕺 👫 👪",
  nature:
    "🐶 🐱 🐭 🐹 🐰 🦊 🐻 🐼 🐨 🐯 🦁 🐮 🐷 🐸 🐵 🙈 🙉 🙊 🐔 🐧 🐦 🐤 🦆 🦉 🐺 🐴 🦄 🐝 🦋 🐌 🐞 🐢 🐍 🐙 🦀 🐠 🐬 🐳 🦈 🐘 🐑 🌵 🌲 🌴 🌱 🍀 🍁 🍄 🌷 🌹 🌻 🌸 🌍 🌙 ⭐ 🌟 ✨ ⚡ 🔥 🌈 ☀️ ⛅ 🌧️ ❄️ ☃️ 🌊",
  food: "🍎 🍐 🍊 🍋 🍌 🍉 🍇 🍓 🫐 🍒 🍑 🥭 🍍 🥥 🥝 🍅 🥑 🥦 🌶️ 🌽 🥕 🧄 🥔 🥐 🍞 🥨 🧀 🥚 🍳 🥞 🥓 🍔 🍟 🍕 🌭 🥪 🌮 🌯 🥗 🍝 🍜 🍲 🍛 🍣 🍱 🥟 🍤 🍚 🥮 🍦 🍩 🍪 🎂 🍰 🍫 🍬 🍭 🍯 🥛 ☕ 🍵 🧋 🍶 🍺 🍻 🥂 🍷 🍸",
  things:
    "⚽ 🏀 🏈 ⚾ 🎾 🏐 🎱 🏓 🏸 🥅 🎯 🎮 🎲 🧩 🎨 🎬 🎤 🎧 🎸 🎹 🥁 🚗 🚕 🚌 🚲 🛵 🚀 ✈️ 🚁 ⛵ 🚆 🏠 🏢 🏖️ 🏔️ ⌚ 📱 💻 ⌨️ 🖥️ 🖨️ 📷 🎥 📞 📺 ⏰ ⏳ 🔋 💡 🔦 🧯 💰 💳 💎 🔧 🔨 🧰 🔑 🔒 🔓 📦 📫 📝 📁 📅 📌 📎 ✂️ 🗑️ 📚 🔍 🧪 💊 🧹 🛒 🎁 🎈 🎉 🎊 🏆 🥇",
  symbols:
    "❤️ 🧡 💛 💚 💙 💜 🖤 🤍 🤎 💔 💕 💯 💢 💥 💫 💦 💨 💬 💭 💤 ✅ ❌ ❎ ➕ ➖ ❓ ❗ ⁉️ ⚠️ 🚫 ⛔ 🔴 🟠 🟡 🟢 🔵 🟣 ⚫ ⚪ 🔺 🔻 ▶️ ⏸️ ⏹️ 🔁 🔀 ⬆️ ⬇️ ⬅️ ➡️ 🔔 🔕 🎵 🎶 ♻️ ✔️ 🏁 🚩",
};

/** The emoji of a group. */
export function emojiOf(group: EmojiGroup): readonly string[] {
  return text[group].split(" ");
}

/** What the message menu offers at once. */
export const quickReactions: readonly string[] = ["👍", "❤️", "😂", "🎉", "😮", "😢"];
