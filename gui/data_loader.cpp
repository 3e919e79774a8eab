// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/data_loader.h"

#include <algorithm>

#include "engine/error.h"
#include "gui/theme.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr std::uint64_t kSyntheticSeed = 1;

const CatalogueEntry* entryOf(const std::string& source) {
  const auto& entries = catalogue();
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const CatalogueEntry& entry) { return entry.id == source; });
  return found == entries.end() ? nullptr : &*found;
}

}  // namespace

DataLoader::DataLoader(Document& document, TrainingSession& session, const Path& dataFolder, QObject* parent)
    : QObject(parent), m_document(document), m_session(session), m_dataFolder(dataFolder) {
  connect(&m_document, &Document::changed, this, &DataLoader::followDocument);
  followDocument();
}

DataLoader::~DataLoader() {
  m_cancel = true;
  m_pool.waitForDone();
}

void DataLoader::followDocument() {
  if (m_document.project().data.source != m_source) reload();
}

void DataLoader::reload() {
  m_source = m_document.project().data.source;
  m_loading = true;
  m_pool.start([this, source = m_source, folder = m_dataFolder, request = ++m_request] {
    const Loaded loaded = load(source, folder);
    QMetaObject::invokeMethod(
        this,
        [this, loaded, request] {
          if (request == m_request) take(loaded);
        },
        Qt::QueuedConnection);
  });
  emit changed();
}

/// Runs on a thread of the pool.
DataLoader::Loaded DataLoader::load(const std::string& source, const Path& dataFolder) {
  try {
    return {loadDataset(source, dataFolder), {}, {}};
  } catch (const std::exception& error) {
    const auto* known = dynamic_cast<const Error*>(&error);
    const bool absent = known && known->kind() == Error::Kind::File;
    const QString reason = (absent ? tr("%1 not found") : tr("%1 cannot be read")).arg(sourceTitle(source));
    return {syntheticDigits(kSyntheticSeed), reason, QString::fromUtf8(error.what())};
  }
}

void DataLoader::take(const Loaded& loaded) {
  m_loading = false;
  m_standIn = loaded.standIn;
  m_problem = loaded.problem;
  m_session.setDataset(loaded.dataset);
  emit changed();
}

bool DataLoader::canFetch() const {
  const CatalogueEntry* entry = entryOf(m_source);
  return entry && entry->canFetch;
}

QString DataLoader::facts() const {
  const auto& dataset = m_session.dataset();
  if (m_loading || !dataset) return tr("Loading %1").arg(sourceTitle(m_source));
  return tr("%1: %2 training, %3")
      .arg(QString::fromStdString(dataset->title), number(dataset->train.count),
           counted(dataset->test.count, tr("1 test image"), tr("%1 test images")));
}

void DataLoader::chooseFolder(const Path& folder) {
  const auto& entries = catalogue();
  const bool holdsNamed = std::any_of(entries.begin(), entries.end(), [&](const CatalogueEntry& entry) {
    const auto found = entry.generated ? std::nullopt : findDataset(entry.id, folder);
    return found && found->parent_path() == folder;
  });
  if (holdsNamed) {
    m_dataFolder = folder;
    reload();
    return;
  }
  m_document.edit(tr("Choose the data"), [&](Project& project) { project.data.source = folder.string(); });
}

void DataLoader::fetch(const std::string& id) {
  if (!m_fetching.empty()) return;
  m_fetching = id;
  m_cancel = false;
  m_pool.start([this, id] {
    QString failure;
    const auto progress = [this](const std::string& what, double fraction) {
      emit fetchProgress(QString::fromStdString(what), fraction);
      return !m_cancel;
    };
    try {
      fetchDataset(id, {}, progress);
    } catch (const std::exception& error) {
      failure = QString::fromUtf8(error.what());
    }
    QMetaObject::invokeMethod(
        this,
        [this, id, failure] {
          m_fetching.clear();
          if (!failure.isEmpty()) emit fetchFailed(QString::fromStdString(id), m_cancel ? QString() : failure);
          if (failure.isEmpty() && id == m_source) reload();
          else emit changed();
        },
        Qt::QueuedConnection);
  });
  emit changed();
}

void DataLoader::cancelFetch() { m_cancel = true; }

QString sourceTitle(const std::string& source) {
  if (const CatalogueEntry* entry = entryOf(source)) return QString::fromStdString(entry->title);
  return QString::fromStdString(Path(source).filename().string());
}

}  // namespace strata::gui
