// What is shown when a component threw: never a white page.
import { Component, type ReactNode } from "react";
import { useWords } from "../i18n/context.tsx";
import { Button } from "../ui/Button.tsx";

/** Catches what is thrown while drawing, and offers to begin anew. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    return this.state.failed ? <Crashed /> : this.props.children;
  }
}

function Crashed() {
  const t = useWords();
  return (
    <main className="empty" role="alert">
      <strong>{t.crashed}</strong>
      <span>{t.crashedText}</span>
      <Button kind="primary" onClick={() => location.reload()}>
        {t.reload}
      </Button>
    </main>
  );
}
