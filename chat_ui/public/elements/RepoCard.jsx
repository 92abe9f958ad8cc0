import { useState } from "react";
import { Box, Database, Code2, AppWindow, MessageSquareText, Plug, Sparkles, Heart, Download, Lock, Globe, Building2, GitBranch } from "lucide-react";

const KINDS = { model: Box, dataset: Database, code: Code2, space: AppWindow, prompt: MessageSquareText, mcp: Plug, skill: Sparkles };
const SEEN = { private: Lock, internal: Building2, public: Globe };

export default function RepoCard() {
  const t = props.labels;
  const { repo } = props;
  const [all, setAll] = useState(false);
  const Kind = KINDS[repo.kind] || Box;
  const Seen = SEEN[repo.visibility] || Lock;
  const tags = all ? repo.tags : repo.tags.slice(0, 12);
  const when = repo.updated_at ? new Date(repo.updated_at).toLocaleString(props.lang, { dateStyle: "medium", timeStyle: "short" }) : null;
  const rows = [
    [t.license, repo.license], [t.owner, repo.owner], [t.branch, repo.default_branch], [t.role, repo.role], [t.updated, when],
  ].filter((row) => row[1]);
  return (
    <section className="ht-card" data-repo={repo.id}>
      <header className="ht-head">
        <Kind size={18} className="ht-accent" />
        <strong className="ht-name">{repo.id}</strong>
        <span className="ht-badge">{t.kinds[repo.kind] || repo.kind}</span>
        <span className={`ht-badge ht-vis-${repo.visibility}`}><Seen size={12} /> {t.visibilities[repo.visibility] || repo.visibility}</span>
        {repo.deleted_at ? <span className="ht-badge ht-status-rejected">{t.deleted}</span> : null}
      </header>
      {repo.description ? <p className="ht-summary">{repo.description}</p> : null}
      {tags.length ? (
        <p className="ht-tags">
          {tags.map((tag) => <span key={tag} className="ht-tag">{tag}</span>)}
          {repo.tags.length > tags.length ? <button type="button" className="ht-link" onClick={() => setAll(true)}>{t.show_all.replace("{n}", repo.tags.length)}</button> : null}
        </p>
      ) : null}
      <dl className="ht-facts">{rows.map(([label, value]) => <div key={label}><dt>{label}</dt><dd>{value}</dd></div>)}</dl>
      <footer className="ht-actions ht-muted">
        <span title={t.likes}><Heart size={14} /> {repo.likes}</span>
        <span title={t.downloads}><Download size={14} /> {repo.downloads}</span>
        {repo.head ? <span title={repo.head}><GitBranch size={14} /> <code>{repo.head.slice(0, 8)}</code></span> : null}
      </footer>
    </section>
  );
}
