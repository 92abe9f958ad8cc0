import { Info } from "lucide-react";

export default function FactCard() {
  return (
    <section className="ht-card">
      <header className="ht-head"><Info size={17} className="ht-accent" /><strong className="ht-name">{props.title}</strong></header>
      <dl className="ht-facts">
        {props.facts.map((fact) => <div key={fact.label}><dt>{fact.label}</dt><dd>{fact.time ? new Date(fact.value).toLocaleString(props.lang, { dateStyle: "medium", timeStyle: "short" }) : fact.value}</dd></div>)}
      </dl>
    </section>
  );
}
