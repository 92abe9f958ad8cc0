import { useState } from "react";
import { Box, Database, Code2, AppWindow, MessageSquareText, Plug, Sparkles, Heart, Download, Lock, Globe, Building2 } from "lucide-react";

const KINDS = { model: Box, dataset: Database, code: Code2, space: AppWindow, prompt: MessageSquareText, mcp: Plug, skill: Sparkles };
const SEEN = { private: Lock, internal: Building2, public: Globe };
const FEW = 8;

export default function RepoList() {
  const t = props.labels;
  const [all, setAll] = useState(false);
  const shown = all ? props.items : props.items.slice(0, FEW);
  if (!props.items.length) return <p className="ht-card ht-muted">{t.empty}</p>;
  return (
    <section className="ht-card ht-flush">
      <ul className="ht-rows">
        {shown.map((repo) => {
          const Kind = KINDS[repo.kind] || Box;
          const Seen = SEEN[repo.visibility] || Lock;
          return (
            <li key={repo.kind + repo.id} data-repo={repo.id}>
              <Kind size={16} className="ht-accent" />
              <button type="button" className="ht-rowmain" onClick={() => sendUserMessage(repo.id)} title={repo.id}>
                <span className="ht-name">{repo.id}</span>
                {repo.description ? <span className="ht-muted ht-clip">{repo.description}</span> : null}
              </button>
              <span className="ht-badge ht-hide-narrow">{t.kinds[repo.kind] || repo.kind}</span>
              <span className={`ht-badge ht-vis-${repo.visibility}`}><Seen size={12} /> <span className="ht-hide-narrow">{t.visibilities[repo.visibility] || repo.visibility}</span></span>
              <span className="ht-muted ht-num ht-hide-narrow"><Heart size={13} /> {repo.likes ?? 0}</span>
              <span className="ht-muted ht-num ht-hide-narrow"><Download size={13} /> {repo.downloads ?? 0}</span>
            </li>
          );
        })}
      </ul>
      <footer className="ht-foot ht-muted">
        {t.count.replace("{n}", props.items.length)}{props.more ? ` · ${t.more}` : ""}
        {props.items.length > FEW ? <button type="button" className="ht-link" onClick={() => setAll(!all)}>{all ? t.show_less : t.show_all.replace("{n}", props.items.length)}</button> : null}
      </footer>
    </section>
  );
}
