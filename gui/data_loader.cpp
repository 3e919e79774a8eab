// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/data_loader.h"

#include <QCoreApplication>
#include <QPointer>
#include <algorithm>

#include "datasets/readers/idx.h"
#include "datasets/source.h"
#include "engine/base/error.h"
#include "gui/theme.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr std::uint64_t kSyntheticSeed = 1;

std::string sourceOf(const Document& document) {
  return resolveSource(document.project().data.source, document.path().toStdString());
}

}  // namespace

DataLoader::DataLoader(Document& document, TrainingSession& session, const Path& dataFolder, QObject* parent)
    : QObject(parent), m_document(document), m_session(session), m_dataFolder(dataFolder) {
  connect(&m_document, &Document::changed, this, &DataLoader::followDocument);
  connect(&m_document, &Document::pathChanged, this, &DataLoader::followDocument);  // sources are relative to it
  followDocument();
}

DataLoader::~DataLoader() {
  m_cancel = true;
  m_pool.waitForDone();
}

void DataLoader::followDocument() {
  if (sourceOf(m_document) != m_source) reload();
}

void DataLoader::reload() {
  m_source = sourceOf(m_document);
  m_loading = true;
  start([source = m_source, folder = m_dataFolder] { return loadNow(source, folder); },
        [this](const Loaded& loaded) { take(loaded); });
  emit changed();
}

void DataLoader::start(const std::function<Loaded()>& work, const std::function<void(const Loaded&)>& deliver) {
  m_pool.start([this, work, deliver, request = ++m_request] {
    const Loaded loaded = work();
    QMetaObject::invokeMethod(
        this,
        [this, deliver, loaded, request] {
          if (request == m_request) deliver(loaded);
        },
        Qt::QueuedConnection);
  });
}

void DataLoader::load(const std::string& source, QObject* receiver, std::function<void(const Loaded&)> take) {
  m_pool.start([source, folder = m_dataFolder, receiver = QPointer(receiver), take = std::move(take)] {
    const Loaded loaded = loadNow(source, folder);
    // The application lives as long as the pool; the receiver need not.
    QMetaObject::invokeMethod(
        qApp,
        [loaded, receiver, take] {
          if (receiver) take(loaded);
        },
        Qt::QueuedConnection);
  });
}

/// Runs on a thread of the pool.
DataLoader::Loaded DataLoader::loadNow(const std::string& source, const Path& dataFolder) {
  try {
    return {loadDataset(source, dataFolder), {}, {}};
  } catch (const std::exception& error) {
    const auto* known = dynamic_cast<const Error*>(&error);
    const bool unread = !known || known->kind() == Error::Kind::Input;
    const QString reason = (unread ? tr("%1 cannot be read") : tr("%1 not found")).arg(sourceTitle(source));
    const bool standsIn = !unread && findCatalogueEntry(source);
    return {standsIn ? syntheticDigits(kSyntheticSeed) : nullptr, reason, QString::fromUtf8(error.what())};
  }
}

void DataLoader::take(const Loaded& loaded) {
  m_loading = false;
  m_missing = loaded.missing;
  m_problem = loaded.problem;
  m_session.setDataset(loaded.dataset);
  emit changed();
}

bool DataLoader::canFetch() const {
  const CatalogueEntry* entry = findCatalogueEntry(m_source);
  return entry && entry->canFetch;
}

QString DataLoader::facts() const {
  const auto& dataset = m_session.dataset();
  if (m_loading) return tr("Loading %1").arg(sourceTitle(m_source));
  if (!dataset) return m_missing;
  return tr("%1: %2 training, %3")
      .arg(QString::fromStdString(dataset->title), number(dataset->train.count),
           counted(dataset->test.count, tr("1 test image"), tr("%1 test images")));
}

void DataLoader::chooseFolder(const Path& folder, const Path& file) {
  const auto& entries = catalogue();
  const bool holdsNamed = std::any_of(entries.begin(), entries.end(), [&](const CatalogueEntry& entry) {
    const auto found = entry.generated ? std::nullopt : findDataset(entry.id, folder);
    return found && found->parent_path() == folder;
  });
  if (holdsNamed && file.empty()) {
    m_dataFolder = folder;
    reload();
    emit folderChosen();
    return;
  }
  const std::string source = resolveSource(sourceText(folder), {});
  start([source, file] { return loadOwn(source, file); },
        [this, source](const Loaded& loaded) {
          if (!loaded.dataset) return refuse(loaded);
          m_source = source;
          m_document.edit(tr("Choose the data"), [&](Project& project) { project.data.source = source; });
          take(loaded);
          emit folderChosen();
        });
}

/// Runs on a thread of the pool.
DataLoader::Loaded DataLoader::loadOwn(const std::string& source, const Path& file) {
  try {
    if (!file.empty()) IdxReader(file).verify();
  } catch (const std::exception& error) {
    return {nullptr, {}, QString::fromUtf8(error.what())};
  }
  return loadNow(source, {});
}

void DataLoader::refuse(const Loaded& loaded) {
  emit folderRefused(loaded.problem);
  if (m_loading) reload();  // what was being loaded when this was asked for
}

void DataLoader::fetch(const std::string& id) {
  if (!m_fetching.empty()) return;
  m_fetching = id;
  m_cancel = false;
  m_pool.start([this, id] {
    QString failure;
    bool brought = false;
    const auto progress = [this](const std::string& what, double fraction) {
      emit fetchProgress(QString::fromStdString(what), fraction);
      return !m_cancel;
    };
    try {
      brought = !fetchDataset(id, {}, progress).empty();  // nothing when it was cancelled
    } catch (const std::exception& error) {
      failure = QString::fromUtf8(error.what());
    }
    QMetaObject::invokeMethod(
        this,
        [this, id, brought, failure] {
          m_fetching.clear();
          if (!brought) emit fetchFailed(QString::fromStdString(id), m_cancel ? QString() : failure);
          if (brought && id == m_source) reload();
          else emit changed();
        },
        Qt::QueuedConnection);
  });
  emit changed();
}

void DataLoader::cancelFetch() { m_cancel = true; }

QString sourceTitle(const std::string& source) {
  if (const CatalogueEntry* entry = findCatalogueEntry(source)) return QString::fromStdString(entry->title);
  return QString::fromStdString(sourceFolder(source).filename().string());
}

}  // namespace strata::gui
