// Starts the app.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App.tsx";
import "./styles/tokens.css";
import "./styles/base.css";
import "./ui/ui.css";
import "./signin/signin.css";
import "./app/app.css";
import "./inbox/inbox.css";
import "./thread/thread.css";
import "./composer/composer.css";
import "./messages/messages.css";
import "./group/group.css";
import "./groups/groups.css";
import "./people/people.css";
import "./timed/timed.css";
import "./joining/joining.css";
import "./board/board.css";
import "./threadpane/threadpane.css";
import "./developer/developer.css";

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
