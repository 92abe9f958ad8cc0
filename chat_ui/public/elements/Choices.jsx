import { useState } from "react";

export default function Choices() {
  const [picked, setPicked] = useState("");
  const pick = (choice) => { setPicked(choice.send); sendUserMessage(choice.send); };
  return (
    <nav className="ht-choices" aria-label={props.labels.title}>
      {props.choices.map((choice) => (
        <button key={choice.send} type="button" className={`ht-button ${picked === choice.send ? "ht-picked" : ""}`} disabled={!!picked} onClick={() => pick(choice)}>
          {choice.label}{choice.hint ? <span className="ht-badge">{choice.hint}</span> : null}
        </button>
      ))}
    </nav>
  );
}
