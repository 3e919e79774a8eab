// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/document.h"

#include <QUndoCommand>
#include <algorithm>
#include <filesystem>

#include "datasets/source.h"
#include "engine/base/error.h"
#include "gui/theme.h"

namespace strata::gui {
namespace {

std::string bytesOf(const QString& path) { return readFile(path.toStdString(), kMaxProjectBytes); }

/// Replacing a file needs no right to write to it, only to its folder; whoever took that right away meant the file.
void refuseProtected(const QString& path) {
  using std::filesystem::perms;
  std::error_code absent;
  const perms allowed = std::filesystem::status(path.toStdString(), absent).permissions();
  constexpr perms kWrite = perms::owner_write | perms::group_write | perms::others_write;
  if (!absent && allowed != perms::unknown && (allowed & kWrite) == perms::none)
    throw Error(Error::Kind::File, path.toStdString(), "is write-protected",
                "Save under another name, or allow writing to it");
}

int depthOf(const std::vector<LayerSpec>& stack) {
  int depth = 0;
  for (const LayerSpec& layer : stack)
    for (const auto& inner : layer.stacks) depth = std::max(depth, 1 + depthOf(inner));
  return depth;
}

/// Why no file could hold the net; empty when one can.
QString unstorable(const NetworkSpec& network) {
  if (layerCount(network) > kMaxLayers)
    return Document::tr("A stack holds at most %1 layers. Delete one first.").arg(number(kMaxLayers));
  if (depthOf(network.layers) > kMaxDepth)
    return Document::tr("Containers hold each other at most %1 deep.").arg(kMaxDepth);
  return {};
}

}  // namespace

/// Swaps whole projects: a project is small, and no edit can forget a part of itself. The undo stack's own signal tells
/// of the change once the step is on it.
class EditCommand : public QUndoCommand {
 public:
  using State = std::shared_ptr<const Document::State>;

  EditCommand(Document& document, const QString& text, State after, QString mergeKey)
      : QUndoCommand(text), m_document(document), m_before(document.m_state), m_after(std::move(after)),
        m_mergeKey(std::move(mergeKey)) {}

  void undo() override { m_document.m_state = m_before; }
  void redo() override { m_document.m_state = m_after; }
  int id() const override { return m_mergeKey.isEmpty() ? -1 : 1; }
  bool mergeWith(const QUndoCommand* next) override {
    const auto* other = static_cast<const EditCommand*>(next);
    if (other->m_mergeKey != m_mergeKey) return false;
    m_after = other->m_after;
    setObsolete(m_after->project == m_before->project);
    return true;
  }

 private:
  Document& m_document;
  State m_before, m_after;
  QString m_mergeKey;
};

Document::Document(QObject* parent) : QObject(parent), m_state(stateOf({})) {
  connect(&m_undo, &QUndoStack::indexChanged, this, &Document::changed);
}

std::shared_ptr<const Document::State> Document::stateOf(Project project) {
  Analysis analysis = analyse(project);
  return std::make_shared<const State>(State{std::move(project), std::move(analysis)});
}

bool Document::edit(const QString& text, const std::function<void(Project&)>& change, const QString& mergeKey) {
  Project after = project();
  change(after);
  if (after == project()) return false;
  if (const QString reason = unstorable(after.network); !reason.isEmpty()) {
    emit refused(reason);
    return false;
  }
  const QString key = mergeKey.isEmpty() ? QString() : QString("%1/%2").arg(mergeKey).arg(m_mergeGeneration);
  m_undo.push(new EditCommand(*this, text, stateOf(std::move(after)), key));
  return true;
}

void Document::endMerge() { ++m_mergeGeneration; }

void Document::reset(Project project, const QString& path) {
  auto state = stateOf(project);
  QString newPath = path;
  std::swap(m_saved, project);
  m_state.swap(state);
  m_path.swap(newPath);
  const bool told = m_undo.count() > 0;  // the stack tells of every change of its position, to the bottom too
  m_undo.clear();
  if (!told) emit changed();
  emit pathChanged();
}

void Document::open(const QString& path) {
  std::string file = bytesOf(path);  // before it is read as a project: a change between the two is noticed later
  reset(readProject(path.toStdString()), path);
  m_file = std::move(file);
}

void Document::recover(Project project) {
  reset(std::move(project), {});
  m_saved = {};
  emit pathChanged();
}

void Document::save(const QString& path) {
  refuseProtected(path);
  Project kept = project();
  const std::string source = resolveSource(kept.data.source, m_path.toStdString());
  if (resolveSource(kept.data.source, path.toStdString()) != source) kept.data.source = source;  // the same data
  writeProject(path.toStdString(), kept);
  edit(tr("Keep the data"), [&](Project& project) { project = kept; });
  m_saved = kept;
  m_path = path;
  endMerge();
  try {
    m_file = bytesOf(path);
  } catch (const Error&) {
    m_file.clear();  // gone again already; fileState() will say so
  }
  emit pathChanged();
}

Document::FileState Document::fileState() const {
  if (m_path.isEmpty()) return FileState::Same;
  try {
    return readFile(m_path.toStdString(), m_file.size()) == m_file ? FileState::Same : FileState::Changed;
  } catch (const Error&) {
    std::error_code unknown;
    const bool there = std::filesystem::exists(m_path.toStdString(), unknown) || unknown;
    return there ? FileState::Changed : FileState::Gone;
  }
}

void Document::reload() {
  std::string file = bytesOf(m_path);
  const Project now = readProject(m_path.toStdString());
  endMerge();
  m_saved = now;
  m_file = std::move(file);
  edit(tr("Reload"), [&now](Project& project) { project = now; });
  emit pathChanged();
}

}  // namespace strata::gui
