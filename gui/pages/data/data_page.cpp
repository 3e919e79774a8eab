// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/data/data_page.h"

#include <QCheckBox>
#include <QGridLayout>
#include <QLabel>
#include <QListView>
#include <QListWidget>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollArea>
#include <QSignalBlocker>
#include <QVBoxLayout>
#include <algorithm>

#include "engine/run/suitability.h"
#include "gui/widgets/data_delegates.h"
#include "gui/widgets/field_form.h"
#include "gui/widgets/label.h"
#include "gui/widgets/number_text.h"
#include "gui/widgets/panel_header.h"
#include "gui/widgets/segment.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

using Part = DatasetModel::Part;

constexpr int kFewestClasses = 2;  ///< that a net can tell apart, though data may have one alone

QWidget* makePanel(QWidget* parent) {
  auto* panel = new QWidget(parent);
  panel->setProperty("ground", "surface");
  panel->setAttribute(Qt::WA_StyledBackground);
  return panel;
}

QVBoxLayout* makeColumn(QWidget* panel, int side = 0, int spacing = 0) {
  auto* column = new QVBoxLayout(panel);
  column->setContentsMargins(side, 0, side, 0);
  column->setSpacing(spacing);
  return column;
}

constexpr char kHeldOut[] = "validation_fraction";

/// Shown in percent.
Field heldOutField() {
  Field field =
      realField(kHeldOut, DataPage::tr("Held out").toStdString(), 10, 0, withPointMoved(kMaxValidationFraction, 2),
                DataPage::tr("The part of the training images that is held out.").toStdString());
  field.unit = "%";
  return field;
}

}  // namespace

DataPage::DataPage(Theme& theme, Document& document, TrainingSession& session, DataLoader& loader, QWidget* parent)
    : QWidget(parent), m_theme(theme), m_document(document), m_session(session), m_loader(loader) {
  auto* splitter = new QSplitter(this);
  splitter->setObjectName("dataSplitter");
  splitter->addWidget(makeSources());
  splitter->addWidget(makeBrowser());
  splitter->addWidget(makeDetails());
  splitter->setStretchFactor(1, 1);
  splitter->setCollapsible(1, false);
  splitter->setHandleWidth(1);
  splitter->setSizes({240, 880, 320});
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->addWidget(splitter);

  connect(&m_session, &TrainingSession::datasetChanged, this, &DataPage::refresh);
  connect(&m_document, &Document::changed, this, &DataPage::refreshSettings);
  connect(&m_loader, &DataLoader::changed, this, [this] {
    refreshFetch();
    listSources();
    refreshNotice();
  });
  connect(&m_loader, &DataLoader::fetchProgress, this, [this](const QString& what, double fraction) {
    m_fetchText->setText(what);
    m_progress->setRange(0, fraction < 0 ? 0 : 1000);
    if (fraction >= 0) m_progress->setValue(static_cast<int>(fraction * 1000));
  });
  connect(&m_loader, &DataLoader::fetchFailed, this, [this](const QString& id, const QString& sentence) {
    m_fetchFailed = id.toStdString();
    m_fetchText->setText(sentence.isEmpty() ? tr("Cancelled. Nothing was changed.") : sentence);
  });
  listSources();
  refreshSettings();
  refresh();
}

QLabel* DataPage::sectionTitle(const QString& text) {
  QLabel* title = makeLabel(m_theme, text, Theme::Text::Caption, "text2");
  QFont bold = title->font();
  bold.setWeight(QFont::DemiBold);
  title->setFont(bold);
  title->setContentsMargins(12, 10, 12, 4);
  return title;
}

QWidget* DataPage::makeSources() {
  QWidget* panel = makePanel(this);
  panel->setMinimumWidth(190);
  m_sources = new QListWidget(panel);
  m_sources->setObjectName("sources");
  m_sources->setAccessibleName(tr("Data sets"));
  m_sources->setItemDelegate(new SourceDelegate(m_theme, m_sources));
  m_sources->setMouseTracking(true);
  m_sources->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  auto* folder = new QPushButton(tr("Choose folder…"), panel);
  folder->setToolTip(tr("A folder that holds data sets, or the files of one"));

  m_fetchBox = new QWidget(panel);
  m_fetchText = makeLabel(m_theme, {}, Theme::Text::Caption, "text2", m_fetchBox);
  m_fetchText->setObjectName("fetchText");
  m_fetchText->setWordWrap(true);
  m_fetchText->setTextInteractionFlags(Qt::TextSelectableByMouse);
  m_progress = new QProgressBar(m_fetchBox);
  m_progress->setTextVisible(false);
  m_cancel = new QPushButton(tr("Cancel"), m_fetchBox);
  m_cancel->setObjectName("cancelFetch");
  QVBoxLayout* fetchColumn = makeColumn(m_fetchBox, 0, 6);
  fetchColumn->addWidget(m_fetchText);
  fetchColumn->addWidget(m_progress);
  fetchColumn->addWidget(m_cancel);
  m_get = new QPushButton(panel);
  m_get->setObjectName("getSelected");

  QVBoxLayout* column = makeColumn(panel);
  column->addWidget(new PanelHeader(m_theme, tr("Data sets"), panel));
  column->addWidget(makeLine(panel));
  column->addSpacing(6);
  column->addWidget(m_sources, 1);
  auto* foot = new QVBoxLayout;
  foot->setContentsMargins(12, 8, 12, 12);
  foot->setSpacing(8);
  foot->addWidget(m_fetchBox);
  foot->addWidget(m_get);
  foot->addWidget(folder);
  column->addLayout(foot);
  connect(m_sources, &QListWidget::currentRowChanged, this, &DataPage::chooseSource);
  connect(folder, &QPushButton::clicked, this, &DataPage::folderWanted);
  connect(m_get, &QPushButton::clicked, this, [this] { m_loader.fetch(m_loader.source()); });
  connect(m_cancel, &QPushButton::clicked, &m_loader, &DataLoader::cancelFetch);
  return panel;
}

QWidget* DataPage::makeNotice() {
  m_notice = new QWidget(this);
  m_notice->setProperty("ground", "warn");
  m_notice->setAttribute(Qt::WA_StyledBackground);
  m_noticeText = makeLabel(m_theme, {}, Theme::Text::Body, "warn", m_notice);
  m_noticeText->setObjectName("dataNotice");
  m_noticeText->setWordWrap(true);
  m_noticeText->setTextInteractionFlags(Qt::TextSelectableByMouse);
  m_fit = new QPushButton(tr("Fit the net’s input"), m_notice);
  m_fit->setObjectName("fitNet");
  auto* row = new QHBoxLayout(m_notice);
  row->setContentsMargins(16, 6, 16, 6);
  row->addWidget(m_noticeText, 1);
  row->addWidget(m_fit);
  connect(m_fit, &QPushButton::clicked, this, &DataPage::fitNet);
  return m_notice;
}

QWidget* DataPage::makeBrowser() {
  auto* panel = new QWidget(this);
  panel->setProperty("ground", "bg");
  panel->setAttribute(Qt::WA_StyledBackground);
  m_header = new PanelHeader(m_theme, {}, panel);
  m_part = new Segment({tr("Training"), tr("Test")}, m_header);
  m_part->setObjectName("part");
  m_header->addWidget(m_part);
  m_grid = new QListView(panel);
  m_grid->setObjectName("thumbnails");
  m_grid->setAccessibleName(tr("Images"));
  auto* delegate = new ThumbnailDelegate(m_theme, m_grid);
  m_grid->setItemDelegate(delegate);
  m_grid->setModel(&m_model);
  // List mode with wrapping lays out 60,000 cells in milliseconds; icon mode takes a second.
  m_grid->setViewMode(QListView::ListMode);
  m_grid->setFlow(QListView::LeftToRight);
  m_grid->setWrapping(true);
  m_grid->setResizeMode(QListView::Adjust);
  m_grid->setUniformItemSizes(true);
  m_grid->setGridSize(delegate->cellSize());
  m_grid->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
  m_grid->setProperty("ground", "bg");
  m_grid->viewport()->setProperty("ground", "bg");
  auto* inset = new QHBoxLayout;
  inset->setContentsMargins(10, 6, 2, 0);
  inset->addWidget(m_grid);
  QVBoxLayout* column = makeColumn(panel);
  column->addWidget(m_header);
  column->addWidget(makeLine(panel));
  column->addWidget(makeNotice());
  column->addLayout(inset, 1);
  connect(m_part, &Segment::currentChanged, this, &DataPage::refresh);
  return panel;
}

QLabel* DataPage::addFact(QGridLayout& grid, const QString& title) {
  const int row = grid.rowCount();
  QLabel* value = makeLabel(m_theme, {}, Theme::Text::Body);
  value->setWordWrap(true);
  value->setTextInteractionFlags(Qt::TextSelectableByMouse);
  value->setMinimumWidth(40);
  grid.addWidget(makeLabel(m_theme, title, Theme::Text::Body, "text2"), row, 0, Qt::AlignTop);
  grid.addWidget(value, row, 1);
  return value;
}

QWidget* DataPage::makeDetails() {
  QWidget* panel = makePanel(this);
  QVBoxLayout* column = makeColumn(panel);
  m_classes = new QListWidget(panel);
  m_classes->setObjectName("classes");
  m_classes->setAccessibleName(tr("Classes"));
  m_classes->setItemDelegate(new ClassBarDelegate(m_theme, m_classes));
  m_classes->setMouseTracking(true);
  m_classes->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  connect(m_classes, &QListWidget::currentRowChanged, this, &DataPage::showSamples);
  column->addWidget(sectionTitle(tr("Classes")));
  column->addWidget(m_classes);

  column->addWidget(makeLine(panel));
  column->addWidget(sectionTitle(tr("Validation")));
  auto* validation = new QGridLayout;
  validation->setContentsMargins(12, 0, 12, 8);
  validation->setHorizontalSpacing(8);
  m_validation = new Segment({tr("Held-out part"), tr("Test set")}, panel);
  m_validation->setObjectName("validation");
  m_fraction = new FieldForm(m_theme, panel);
  m_fraction->setFields({heldOutField()});
  m_validationText = makeLabel(m_theme, {}, Theme::Text::Caption, "text2", panel);
  m_validationText->setObjectName("validationText");
  m_validationText->setWordWrap(true);
  validation->addWidget(m_validation, 0, 0);
  validation->addWidget(m_fraction, 1, 0);
  validation->addWidget(m_validationText, 2, 0);
  validation->setVerticalSpacing(6);
  column->addLayout(validation);
  connect(m_validation, &Segment::currentChanged, this, [this](int index) {
    m_document.edit(tr("Choose the validation set"), [index](Project& project) {
      project.data.validation = index == 0 ? ValidationSource::Split : ValidationSource::TestSet;
    });
  });
  connect(m_fraction, &FieldForm::edited, this, [this](const QString&, const Value& percent) {
    m_document.edit(
        tr("Change the held-out part"),
        [&](Project& project) { project.data.validationFraction = withPointMoved(std::get<double>(percent), -2); },
        "validationFraction");
  });
  connect(m_fraction, &FieldForm::editingFinished, &m_document, &Document::endMerge);

  column->addWidget(makeLine(panel));
  column->addWidget(sectionTitle(tr("Preprocessing")));
  m_preprocessing = makeLabel(m_theme, {}, Theme::Text::Body, "text", panel);
  m_preprocessing->setWordWrap(true);
  m_preprocessing->setContentsMargins(12, 0, 12, 4);
  m_invert = new QCheckBox(tr("Dark ink on light ground"), panel);
  m_invert->setToolTip(tr("Turns every value around before the net reads it."));
  auto* invertRow = new QHBoxLayout;
  invertRow->setContentsMargins(12, 0, 12, 8);
  invertRow->addWidget(m_invert);
  column->addWidget(m_preprocessing);
  column->addLayout(invertRow);
  connect(m_invert, &QCheckBox::toggled, this, [this](bool on) {
    m_document.edit(tr("Change the preprocessing"), [on](Project& project) { project.data.preprocessing.invert = on; });
  });

  column->addWidget(makeLine(panel));
  column->addWidget(sectionTitle(tr("Augmentation")));
  column->addLayout(makeAugmentation(panel));

  column->addWidget(makeLine(panel));
  column->addWidget(sectionTitle(tr("About this data set")));
  auto* facts = new QGridLayout;
  facts->setContentsMargins(12, 0, 12, 12);
  facts->setHorizontalSpacing(12);
  facts->setVerticalSpacing(4);
  facts->setColumnStretch(1, 1);
  m_images = addFact(*facts, tr("Images"));
  m_shape = addFact(*facts, tr("One image"));
  m_source = addFact(*facts, tr("Made by"));
  m_licence = addFact(*facts, tr("Licence"));
  m_origin = addFact(*facts, tr("Read from"));
  column->addLayout(facts);
  column->addStretch(1);

  auto* scroll = new QScrollArea(this);
  scroll->setWidgetResizable(true);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll->setFocusPolicy(Qt::NoFocus);
  scroll->setWidget(panel);
  scroll->setMinimumWidth(270);
  return scroll;
}

QLayout* DataPage::makeAugmentation(QWidget* panel) {
  m_augmentation = new FieldForm(m_theme, panel);
  m_augmentation->setFields(augmentationFields());
  auto* row = new QHBoxLayout;
  row->setContentsMargins(12, 0, 12, 8);
  row->addWidget(m_augmentation);
  connect(m_augmentation, &FieldForm::edited, this, [this](const QString& id, const Value& value) {
    m_document.edit(
        tr("Change the augmentation"),
        [&](Project& project) { project.data.augmentation.fields.set(id.toStdString(), value); }, "augmentation." + id);
  });
  connect(m_augmentation, &FieldForm::editingFinished, &m_document, &Document::endMerge);
  return row;
}

/// What is said of a fetch goes with it: while it runs, and after a failure as long as its data set is the chosen one.
void DataPage::refreshFetch() {
  if (!m_loader.fetching().empty() && m_fetching != m_loader.fetching())
    m_fetchText->setText(tr("Getting %1").arg(sourceTitle(m_loader.fetching())));
  m_fetching = m_loader.fetching();
  if (!m_fetching.empty() || m_fetchFailed != m_loader.source()) m_fetchFailed.clear();
  if (m_fetching.empty() && m_fetchFailed.empty()) m_fetchText->clear();
}

void DataPage::listSources() {
  const QSignalBlocker quiet(m_sources);
  m_sources->clear();
  const auto add = [this](const std::string& id, const QString& title, const QString& state, const char* tone) {
    auto* item = new QListWidgetItem(title, m_sources);
    item->setData(SourceDelegate::IdRole, QString::fromStdString(id));
    item->setData(SourceDelegate::StateRole, state);
    item->setData(SourceDelegate::ToneRole, tone);
    item->setData(Qt::AccessibleTextRole, title + ", " + state);
    item->setToolTip(title + "\n" + state);
    if (id == m_loader.source()) m_sources->setCurrentItem(item);
  };
  bool named = false;
  for (const CatalogueEntry& entry : catalogue()) {
    const auto found = entry.generated ? std::nullopt : findDataset(entry.id, m_loader.dataFolder());
    const QString state = m_loader.fetching() == entry.id ? tr("Getting it")
                          : entry.generated               ? tr("Drawn by Strata, on the spot")
                          : found                         ? tr("On this machine")
                                                          : tr("Not on this machine");
    add(entry.id, QString::fromStdString(entry.title).section(" (", 0, 0), state,
        found || entry.generated ? "text2" : "warn");
    named |= entry.id == m_loader.source();
  }
  if (!named)
    add(m_loader.source(), sourceTitle(m_loader.source()), QString::fromStdString(m_loader.source()), "text2");
  const bool fetching = !m_loader.fetching().empty(),
             missing = !m_loader.loading() && !m_loader.missingReason().isEmpty();
  m_progress->setVisible(fetching);
  m_cancel->setVisible(fetching);
  m_fetchBox->setVisible(fetching || (missing && !m_fetchText->text().isEmpty()));
  m_get->setVisible(!fetching && missing && m_loader.canFetch());
  m_get->setText(
      (m_fetchText->text().isEmpty() ? tr("Get %1") : tr("Try again to get %1")).arg(sourceTitle(m_loader.source())));
}

void DataPage::chooseSource() {
  const QListWidgetItem* item = m_sources->currentItem();
  if (!item) return;
  const std::string id = item->data(SourceDelegate::IdRole).toString().toStdString();
  m_document.edit(tr("Choose the data"), [&](Project& project) { project.data.source = id; });
}

void DataPage::refresh() {
  const auto& dataset = m_session.dataset();
  m_part->setEnabled(dataset != nullptr);
  m_header->setTitle(dataset ? QString::fromStdString(dataset->title) : sourceTitle(m_loader.source()));
  if (dataset) {
    const int count = (m_part->current() == 0 ? dataset->train : dataset->test).count;
    m_header->setHint(
        tr("%1 of %2")
            .arg(counted(count, tr("1 image"), tr("%1 images")), QString::fromStdString(dataset->shape.text())));
  } else {
    m_header->setHint({});
  }
  refreshClasses();
  refreshFacts();
  refreshNotice();
  refreshSettings();
  showSamples();
}

void DataPage::refreshNotice() {
  const auto& dataset = m_session.dataset();
  const NetworkSpec& network = m_document.project().network;
  const bool misfit = dataset && !m_loader.loading() &&
                      (dataset->shape != network.input || static_cast<int>(dataset->classes.size()) != network.classes);
  const bool missing = !m_loader.loading() && !m_loader.missingReason().isEmpty();
  QString text;
  if (m_loader.loading()) m_header->setHint(m_loader.facts());
  if (missing && !m_loader.standsIn()) text = m_loader.problem();
  else if (missing)
    text = tr("%1: these are synthetic digits, drawn by the program. %2")
               .arg(m_loader.missingReason(), m_loader.problem());
  else if (misfit)
    text = tr("The net reads %1 and tells %2 classes apart; %3 has images of %4 in %5.")
               .arg(QString::fromStdString(network.input.text()))
               .arg(network.classes)
               .arg(QString::fromStdString(dataset->title), QString::fromStdString(dataset->shape.text()),
                    counted(qint64(dataset->classes.size()), tr("1 class"), tr("%1 classes")));
  if (dataset) {
    std::vector<std::string> told = remarks(*dataset);
    told.push_back(polarityWarning(resolved(m_document.project().data.preprocessing, *dataset)));
    for (const std::string& remark : told)
      text += (text.isEmpty() ? QString() : QStringLiteral(" ")) + QString::fromStdString(remark);
  }
  m_noticeText->setText(text);
  m_fit->setVisible(misfit);
  m_notice->setVisible(!text.isEmpty());
}

void DataPage::refreshClasses() {
  const QSignalBlocker quiet(m_classes);
  const int row = std::max(0, m_classes->currentRow());
  m_classes->clear();
  const auto& dataset = m_session.dataset();
  if (!dataset) return;
  const std::vector<int> counts = DatasetModel::classCounts(*dataset, static_cast<Part>(m_part->current()));
  const int largest = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  const auto add = [this](const QString& name, int count, int of) {
    auto* item = new QListWidgetItem(name, m_classes);
    item->setData(ClassBarDelegate::CountRole, count);
    item->setData(ClassBarDelegate::LargestRole, of);
    item->setData(Qt::AccessibleTextRole, tr("%1, %2").arg(name, counted(count, tr("1 image"), tr("%1 images"))));
  };
  add(tr("All classes"), (m_part->current() == 0 ? dataset->train : dataset->test).count, 0);
  for (std::size_t i = 0; i < counts.size(); ++i) add(QString::fromStdString(dataset->classes[i]), counts[i], largest);
  m_classes->setCurrentRow(std::min(row, m_classes->count() - 1));
  m_classes->setFixedHeight(std::min(14, m_classes->count()) * m_classes->sizeHintForRow(0) + 4);
}

void DataPage::refreshFacts() {
  const auto& dataset = m_session.dataset();
  if (!dataset) {
    for (QLabel* fact : {m_images, m_shape, m_origin, m_source, m_licence}) fact->setText(QStringLiteral("—"));
    return;
  }
  m_images->setText(tr("%1 training, %2 test").arg(number(dataset->train.count), number(dataset->test.count)));
  m_shape->setText(tr("%1 values, 0 to 255").arg(QString::fromStdString(dataset->shape.text())));
  m_origin->setText(QString::fromStdString(dataset->origin));
  const auto& entries = catalogue();
  const auto entry =
      std::find_if(entries.begin(), entries.end(), [&](const CatalogueEntry& each) { return each.id == dataset->id; });
  m_source->setText(entry == entries.end() ? QStringLiteral("—") : QString::fromStdString(entry->source));
  m_licence->setText(entry == entries.end() ? QStringLiteral("—") : QString::fromStdString(entry->licence));
}

namespace {

/// How pictures from outside are made like the data.
QString looksText(const Preprocessing& prep) {
  const QString ink = prep.ink == Ink::Light  ? DataPage::tr("Light on dark")
                      : prep.ink == Ink::Dark ? DataPage::tr("Dark on light")
                                              : DataPage::tr("No plain ground");
  return DataPage::tr("%1; %2").arg(ink, prep.framing == Framing::Mnist
                                             ? DataPage::tr("drawings are framed as MNIST frames digits")
                                             : DataPage::tr("pictures go in whole, scaled"));
}

}  // namespace

void DataPage::refreshSettings() {
  const DataSpec& data = m_document.project().data;
  const QSignalBlocker quietSegment(m_validation), quietInvert(m_invert);
  const bool split = data.validation == ValidationSource::Split;
  m_validation->setCurrent(split ? 0 : 1);
  const bool untested = m_session.dataset() && m_session.dataset()->test.count == 0;
  m_fraction->setLocked(kHeldOut, split || untested ? QString() : tr("Choose “Held-out part” to set this"));
  Fields heldOut;
  heldOut.set(kHeldOut, withPointMoved(data.validationFraction, 2));
  m_fraction->setValues(heldOut);
  m_augmentation->setValues(data.augmentation.fields);
  if (untested)
    m_validationText->setText(tr("There is no test set: the best epoch is chosen on training images that the net never "
                                 "learns from."));
  else
    m_validationText->setText(split ? tr("The best epoch is chosen on training images that the net never learns from. "
                                         "The test set stays untouched.")
                                    : tr("The best epoch is chosen on the test set, as the three reference systems "
                                         "did. Its figure flatters a little."));
  const Preprocessing& prep = data.preprocessing;
  const bool byte = prep.offset == 0 && prep.scale == 1.0 / 255;
  m_preprocessing->setText(byte ? tr("Value = pixel ÷ 255, from 0 to 1")
                                : tr("Value = pixel × %1 + %2").arg(shortest(prep.scale), shortest(prep.offset)));
  if (const auto& dataset = m_session.dataset())
    m_preprocessing->setText(m_preprocessing->text() + "\n" + looksText(resolved(prep, *dataset)));
  m_invert->setChecked(prep.invert);
  refreshNotice();
}

void DataPage::showSamples() {
  m_model.show(m_session.dataset(), static_cast<Part>(m_part->current()), m_classes->currentRow() - 1);
}

void DataPage::fitNet() {
  const auto dataset = m_session.dataset();
  m_document.edit(tr("Fit the net to the data"), [&](Project& project) {
    project.network.input = dataset->shape;
    project.network.classes = std::max(kFewestClasses, static_cast<int>(dataset->classes.size()));
  });
}

}  // namespace strata::gui
