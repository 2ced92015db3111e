// The dialog before files are sent, which is loaded when it is needed.
import { lazy, Suspense, type ComponentProps } from "react";

const SendDialog = lazy(() => import("./SendDialog.tsx").then(({ SendDialog }) => ({ default: SendDialog })));

/** See SendDialog. */
export function SendFiles(props: ComponentProps<typeof SendDialog>) {
  return (
    <Suspense>
      <SendDialog {...props} />
    </Suspense>
  );
}
