import { useState } from "react";
import { FilePlus2, FileMinus2, FilePen, FileSymlink, ChevronRight, ChevronDown } from "lucide-react";

const ICONS = { added: FilePlus2, deleted: FileMinus2, modified: FilePen, renamed: FileSymlink };

function lines(patch) {
  const out = [];
  let before = 0, after = 0;
  for (const text of patch.replace(/\n$/, "").split("\n")) {
    const hunk = text.match(/^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/);
    if (hunk) { before = Number(hunk[1]); after = Number(hunk[2]); out.push({ kind: "hunk", text }); }
    else if (/^(diff |index |--- |\+\+\+ |new file|deleted file|similarity|rename|old mode|new mode)/.test(text) && !before && !after) continue;
    else if (text.startsWith("+")) out.push({ kind: "add", after: after++, text: text.slice(1) });
    else if (text.startsWith("-")) out.push({ kind: "del", before: before++, text: text.slice(1) });
    else if (text.startsWith("\\")) out.push({ kind: "note", text });
    else out.push({ kind: "same", before: before++, after: after++, text: text.slice(1) });
  }
  return out;
}

function FileDiff({ file, first }) {
  const t = props.labels;
  const [open, setOpen] = useState(first);
  const Icon = ICONS[file.status] || FilePen;
  const Arrow = open ? ChevronDown : ChevronRight;
  return (
    <div className="ht-diff-file">
      <button type="button" className="ht-diff-head" onClick={() => setOpen(!open)} aria-expanded={open}>
        <Arrow size={14} /><Icon size={15} className="ht-muted" />
        <span className="ht-mono ht-rowmain">{file.old_path && file.old_path !== file.path ? `${file.old_path} → ${file.path}` : file.path}</span>
        <span className="ht-badge">{t[file.status] || file.status}</span>
        <span className="ht-add">+{file.additions ?? 0}</span><span className="ht-del">−{file.deletions ?? 0}</span>
      </button>
      {open ? (file.binary ? <p className="ht-muted ht-pad">{t.binary}</p> : (
        <div className="ht-scroll ht-code-box">
          <table className="ht-code"><tbody>
            {lines(file.patch || "").map((line, index) => (
              <tr key={index} className={`ht-line-${line.kind}`}>
                <td className="ht-lineno">{line.before ?? ""}</td><td className="ht-lineno">{line.after ?? ""}</td>
                <td className="ht-sign">{{ add: "+", del: "−" }[line.kind] || ""}</td><td><pre>{line.text}</pre></td>
              </tr>
            ))}
          </tbody></table>
          {file.truncated ? <p className="ht-muted ht-pad">{t.truncated}</p> : null}
        </div>
      )) : null}
    </div>
  );
}

export default function DiffView() {
  const t = props.labels;
  if (!props.files.length) return <p className="ht-card ht-muted">{t.empty}</p>;
  return (
    <section className="ht-card ht-flush">
      <header className="ht-head ht-pad"><strong className="ht-name">{props.title}</strong><span className="ht-muted ht-push">{t.files.replace("{n}", props.files.length)}{props.more ? ` · ${t.more}` : ""}</span></header>
      {props.message ? <p className="ht-summary ht-pad">{props.message}</p> : null}
      {props.files.map((file, index) => <FileDiff key={file.path} file={file} first={index < 2} />)}
    </section>
  );
}
