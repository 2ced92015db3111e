// The files of a drop or a paste.

/** Whether a drag brings files, rather than a text or a link. */
export function bringsFiles(data: DataTransfer | null): boolean {
  return data?.types.includes("Files") ?? false;
}

/** Names that browsers give to a picture that never had one. */
const nameless = /^(image|blob)\.(png|jpe?g|webp|gif)$/i;

/** Those of a paste or a drop; a screenshot gets a name that says what it is and when it was taken. */
export function filesOf(data: DataTransfer | null, screenshot: string, now: Date): File[] {
  return [...(data?.files ?? [])].map((file) => {
    if (!nameless.test(file.name)) return file;
    const two = (n: number) => String(n).padStart(2, "0");
    const when = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())} ${two(now.getHours())}.${two(now.getMinutes())}.${two(now.getSeconds())}`;
    return new File([file], `${screenshot} ${when}.${file.name.split(".").at(-1) ?? "png"}`, { type: file.type });
  });
}
