import { useMemo, useState } from "react";
import { Folder, FolderOpen, FileText, FileArchive, ChevronRight, ChevronDown } from "lucide-react";

const FEW = 40;

function bytes(n) {
  if (n === null || n === undefined) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = n, unit = 0;
  while (value >= 1024 && unit < 4) { value /= 1024; unit += 1; }
  return `${unit ? value.toFixed(value < 10 ? 1 : 0) : value} ${units[unit]}`;
}

function nest(entries) {
  const root = { folders: new Map(), files: [] };
  for (const entry of entries) {
    const parts = entry.path.split("/");
    const last = parts.pop();
    let node = root;
    for (const part of parts) {
      if (!node.folders.has(part)) node.folders.set(part, { folders: new Map(), files: [] });
      node = node.folders.get(part);
    }
    if (entry.kind === "folder") { if (!node.folders.has(last)) node.folders.set(last, { folders: new Map(), files: [] }); }
    else node.files.push({ ...entry, name: last });
  }
  return root;
}

function Level({ node, depth }) {
  return (
    <>
      {[...node.folders.entries()].map(([name, child]) => <FolderRow key={"d" + name} name={name} node={child} depth={depth} />)}
      {node.files.map((file) => (
        <li key={file.path} style={{ paddingLeft: 12 + depth * 18 }} title={file.path}>
          {file.lfs ? <FileArchive size={15} className="ht-muted" /> : <FileText size={15} className="ht-muted" />}
          <span className="ht-rowmain ht-mono">{file.name}</span>
          {file.lfs ? <span className="ht-badge">LFS</span> : null}
          <span className="ht-muted ht-num">{bytes(file.size)}</span>
        </li>
      ))}
    </>
  );
}

function FolderRow({ name, node, depth }) {
  const inside = node.folders.size + node.files.length;
  const [open, setOpen] = useState(inside > 0 && inside <= 12 && depth < 2);
  const Icon = open ? FolderOpen : Folder;
  const Arrow = open ? ChevronDown : ChevronRight;
  return (
    <>
      <li style={{ paddingLeft: 12 + depth * 18 }}>
        <Icon size={15} className="ht-accent" />
        <button type="button" className="ht-rowmain ht-mono" disabled={!inside} onClick={() => setOpen(!open)}>{name}/{inside ? <Arrow size={13} /> : null}</button>
      </li>
      {open ? <Level node={node} depth={depth + 1} /> : null}
    </>
  );
}

export default function FileTree() {
  const t = props.labels;
  const [all, setAll] = useState(false);
  const shown = all ? props.entries : props.entries.slice(0, FEW);
  const tree = useMemo(() => nest(shown), [shown.length]);
  if (!props.entries.length) return <p className="ht-card ht-muted">{t.empty}</p>;
  return (
    <section className="ht-card ht-flush">
      {props.title ? <header className="ht-head ht-pad"><Folder size={16} className="ht-accent" /><strong className="ht-name">{props.title}</strong>{props.revision ? <span className="ht-badge ht-mono">{props.revision}</span> : null}</header> : null}
      <ul className="ht-rows ht-tree"><Level node={tree} depth={0} /></ul>
      <footer className="ht-foot ht-muted">
        {t.count.replace("{n}", props.entries.filter((e) => e.kind !== "folder").length)}{props.more ? ` · ${t.more}` : ""}
        {props.entries.length > FEW ? <button type="button" className="ht-link" onClick={() => setAll(!all)}>{all ? t.show_less : t.show_all.replace("{n}", props.entries.length)}</button> : null}
      </footer>
    </section>
  );
}
