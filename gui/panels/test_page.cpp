// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/panels/test_page.h"

#include <QElapsedTimer>
#include <QRandomGenerator>
#include <QSignalBlocker>
#include <QSplitter>
#include <QVBoxLayout>
#include <algorithm>
#include <numeric>

#include "gui/models/runs_model.h"
#include "gui/widgets/label.h"

namespace strata::gui {
namespace {

constexpr int kAskMs = 33;   ///< drawing: at most 30 answers a second
constexpr int kChunk = 500;  ///< test images between two looks at more urgent requests

/// All that one look at a drawing gives.
struct Answer {
  std::optional<PreparedDigit> digit;
  std::vector<float> probabilities;
  PrepStrip::Answers without;
  std::vector<std::vector<float>> activations;
  double milliseconds = 0;
};

QString shortAnswer(const std::vector<float>& probabilities, const QStringList& classes) {
  const auto best = std::max_element(probabilities.begin(), probabilities.end());
  return TestPage::tr("off: %1, %2 %")
      .arg(classes.value(int(best - probabilities.begin())))
      .arg(double(*best) * 100, 0, 'f', 0);
}

Answer look(Predictor& predictor, const GreyImage& picture, PrepSteps steps, const Preprocessing& preprocessing,
            const QStringList& classes) {
  Answer answer;
  const auto shape = predictor.network().input;
  answer.digit = prepareDigit(picture, shape, steps);
  if (!answer.digit) return answer;
  QElapsedTimer timer;
  timer.start();
  const auto sample = netInput(answer.digit->final, preprocessing);
  answer.probabilities = predictor.predict(sample);
  answer.milliseconds = double(timer.nsecsElapsed()) / 1e6;
  bool PrepSteps::*const flags[] = {&PrepSteps::crop, &PrepSteps::fit, &PrepSteps::centre};
  for (std::size_t i = 0; i < PrepStrip::kSteps; ++i) {
    if (!(steps.*flags[i])) continue;
    auto fewer = steps;
    fewer.*flags[i] = false;
    if (const auto digit = prepareDigit(picture, shape, fewer))
      answer.without[i] = shortAnswer(predictor.predict(netInput(digit->final, preprocessing)), classes);
  }
  answer.activations = predictor.activations(sample);
  return answer;
}

QStringList classNames(const Dataset* dataset, int classes) {
  QStringList names;
  for (int i = 0; i < classes; ++i) {
    const bool known = dataset && i < int(dataset->classes.size());
    names << (known ? QString::fromStdString(dataset->classes[std::size_t(i)]) : QString::number(i));
  }
  return names;
}

}  // namespace

TestPage::TestPage(Theme& theme, Document&, TrainingSession& session, QWidget* parent)
    : QWidget(parent), m_session(session) {
  setObjectName("testPage");
  setProperty("ground", "surface");
  setAttribute(Qt::WA_StyledBackground);
  m_drawing = new DrawingPanel(theme, this);
  m_prediction = new PredictionPanel(theme, this);
  m_testSet = new TestSetPanel(theme, this);
  m_drawing->setMinimumWidth(316);
  m_prediction->setMinimumWidth(280);
  m_testSet->setMinimumWidth(392);
  auto* splitter = new QSplitter(this);
  splitter->setObjectName("testSplitter");
  for (QWidget* part :
       {static_cast<QWidget*>(m_drawing), static_cast<QWidget*>(m_prediction), static_cast<QWidget*>(m_testSet)})
    splitter->addWidget(part);
  splitter->setStretchFactor(1, 1);
  splitter->setSizes({384, 570, 486});
  splitter->setCollapsible(0, false);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(makeWeightsRow(theme));
  column->addWidget(makeLine(this));
  column->addWidget(splitter, 1);
  m_ask.setSingleShot(true);
  m_ask.setInterval(kAskMs);
  connect(&m_ask, &QTimer::timeout, this, &TestPage::ask);
  connect(m_drawing->canvas(), &Canvas::changed, this, &TestPage::askSoon);
  connect(m_drawing->strip(), &PrepStrip::stepsChanged, this, &TestPage::askSoon);
  connect(m_drawing, &DrawingPanel::randomWanted, this, &TestPage::randomImage);
  connect(m_testSet, &TestSetPanel::putOnCanvas, this, &TestPage::openTestImage);
  connect(&m_loader, &RunsLoader::loaded, this, &TestPage::refreshRuns);
  connect(&m_worker, &PredictionWorker::failed, this,
          [this](const QString& reason) { m_drawing->setMessage(reason, true); });
  connect(&session, &TrainingSession::snapshotReady, this, &TestPage::takeSnapshot);
  connect(&session, &TrainingSession::datasetChanged, this, [this] {
    m_testSet->setDataset(m_session.dataset());
    m_evaluatedEpoch = -1;
    chooseWeights();
  });
  connect(&session, &TrainingSession::runStarted, this, &TestPage::refreshRuns);
  connect(&session, &TrainingSession::epochDone, this, &TestPage::refreshEpochs);
  connect(&session, &TrainingSession::finished, this, [this] {
    refreshRuns();
    if (isVisible()) m_loader.load();
  });
  m_testSet->setDataset(session.dataset());
  chooseWeights();
}

QWidget* TestPage::makeWeightsRow(const Theme& theme) {
  auto* bar = new QWidget(this);
  m_run = new QComboBox(bar);
  m_run->setObjectName("weightsRun");
  m_run->setAccessibleName(tr("Run whose weights are tested"));
  m_run->setMinimumWidth(160);
  m_run->setPlaceholderText(tr("No run yet"));
  m_slider = new WeightsSlider(theme, bar);
  m_firstEpoch = makeLabel(theme, {}, Theme::Text::Caption, "text2", bar);
  m_lastEpoch = makeLabel(theme, {}, Theme::Text::Caption, "text2", bar);
  m_badge = makeLabel(theme, {}, Theme::Text::Caption, "accent", bar);
  m_badge->setProperty("badge", "good");
  m_badge->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
  m_accuracy = makeLabel(theme, {}, Theme::Text::Body, "text2", bar);
  m_follow = new QCheckBox(tr("Follow training"), bar);
  m_follow->setObjectName("followTraining");
  m_follow->setChecked(true);
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(12, 6, 12, 6);
  row->setSpacing(10);
  row->addWidget(makeLabel(theme, tr("Weights"), Theme::Text::Body, "text2", bar));
  row->addWidget(m_run);
  row->addWidget(m_firstEpoch);
  row->addWidget(m_slider, 3);
  row->addWidget(m_lastEpoch);
  row->addWidget(m_badge);
  row->addWidget(m_accuracy);
  row->addStretch(2);
  row->addWidget(m_follow);
  connect(m_run, &QComboBox::currentIndexChanged, this, &TestPage::refreshEpochs);
  connect(m_slider, &WeightsSlider::epochChanged, this, [this] {
    if (following()) m_follow->setChecked(false);  // whoever moves the slider wants those weights
    else chooseWeights();
  });
  connect(m_follow, &QCheckBox::toggled, this, &TestPage::chooseWeights);
  return bar;
}

bool TestPage::following() const { return m_follow->isChecked() && m_session.active(); }

const RunRecord* TestPage::chosenRun() const {
  const int i = m_run->currentIndex();
  return i >= 0 && i < int(m_runs.size()) ? &m_runs[std::size_t(i)] : nullptr;
}

void TestPage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  m_loader.load();
  takeSnapshot();
  ask();  // the weights may have changed while the page was hidden
}

void TestPage::refreshRuns() {
  const auto* former = chosenRun();
  const Path kept = m_session.active() && m_follow->isChecked() ? m_session.run().folder
                    : former                                    ? former->folder
                                                                : Path();
  std::vector<RunRecord> runs;
  if (m_session.hasRun()) runs.push_back(m_session.run());
  for (const auto& run : m_loader.runs()) {
    if (run.folder != m_session.run().folder && !keptEpochs(run.folder).empty()) runs.push_back(run);
  }
  {
    const QSignalBlocker block(m_run);
    m_runs = std::move(runs);
    m_run->clear();
    int index = m_runs.empty() ? -1 : 0;
    for (std::size_t i = 0; i < m_runs.size(); ++i) {
      m_run->addItem(tr("%1 · %2").arg(runTitle(m_runs[i]), startedText(m_runs[i])));
      if (m_runs[i].folder == kept) index = int(i);
    }
    m_run->setCurrentIndex(index);
    m_run->setEnabled(!m_runs.empty());
    m_run->setToolTip(m_runs.empty() ? tr("No run has finished an epoch yet") : tr("The run whose weights are tested"));
  }
  refreshEpochs();
}

void TestPage::refreshEpochs() {
  if (const auto* run = chosenRun()) {
    const bool live = run->folder == m_session.run().folder;
    const auto epochs = keptEpochs(run->folder);
    const QSignalBlocker block(m_slider);
    m_slider->setEpochs(epochs, live ? m_session.run().bestEpoch : run->bestEpoch);
    m_firstEpoch->setText(epochs.empty() ? QString() : tr("epoch %1").arg(epochs.front()));
    m_lastEpoch->setText(epochs.size() < 2 ? QString() : QString::number(epochs.back()));
  }
  chooseWeights();
}

void TestPage::chooseWeights() {
  m_follow->setEnabled(m_session.active());
  m_follow->setToolTip(m_session.active() ? tr("Always use the newest weights of the run in progress")
                                          : tr("No run is in progress"));
  if (following()) return takeSnapshot();
  const auto* run = chosenRun();
  const int epoch = m_slider->epoch();
  if (run && epoch > 0) {
    const bool live = run->folder == m_session.run().folder;
    setWeights({nullptr, epochFile(run->folder, epoch)}, live ? m_session.run() : *run, epoch);
  } else if (m_session.snapshot()) {
    setWeights({m_session.snapshot(), {}}, m_session.run(), m_session.snapshot()->epoch);
  } else {
    m_haveWeights = false;
    m_badge->hide();
    m_accuracy->clear();
    m_prediction->bars()->setEmptyText(tr("No weights yet: answers are chance until a run has finished an epoch."));
    m_prediction->bars()->setAnswer({}, {});
  }
}

void TestPage::takeSnapshot() {
  if (!isVisible() || !following() || !m_session.snapshot()) return;
  setWeights({m_session.snapshot(), {}}, m_session.run(), m_session.snapshot()->epoch);
}

void TestPage::setWeights(const WeightSource& source, const RunRecord& run, int epoch) {
  const bool same = m_haveWeights && m_worker.weights() == source;
  m_haveWeights = true;
  m_worker.setWeights(source);
  m_preprocessing = run.project.data.preprocessing;
  if (!(m_network == run.project.network)) {
    m_network = run.project.network;
    m_prediction->maps()->setNetwork(m_network);
  }
  showWeightsText(run, epoch, source.snapshot != nullptr);
  if (same) return;
  ask();
  // The whole test set once an epoch is plenty while following; a chosen checkpoint is evaluated at once.
  if (!source.snapshot || epoch != m_evaluatedEpoch) {
    m_evaluatedEpoch = source.snapshot ? epoch : -1;
    evaluate();
  }
}

void TestPage::showWeightsText(const RunRecord& run, int epoch, bool live) {
  const bool best = epoch > 0 && epoch == run.bestEpoch && !live;
  m_badge->setText(live ? tr("Newest weights") : best ? tr("★ Epoch %1, best").arg(epoch) : tr("Epoch %1").arg(epoch));
  m_badge->show();
  m_accuracy->setText({});
  for (const auto& e : run.epochs) {
    if (e.epoch == epoch)
      m_accuracy->setText(
          tr("%1 accuracy %2")
              .arg(run.project.data.validation == ValidationSource::TestSet ? tr("test set") : tr("validation"),
                   percent(e.valAccuracy)));
  }
}

QString TestPage::unfit() const {
  if (m_network.input.isImage() && m_network.input.c == 1) return {};
  return tr("This net reads samples of %1; a drawing has one grey channel.")
      .arg(QString::fromStdString(m_network.input.text()));
}

void TestPage::askSoon() {
  if (!m_ask.isActive()) m_ask.start();
}

void TestPage::ask() {
  if (!isVisible() || !m_haveWeights) return;
  const auto reason = unfit();
  if (m_drawing->canvas()->empty() || !reason.isEmpty()) {
    m_prediction->bars()->setEmptyText(
        reason.isEmpty() ? tr("Draw a digit, drop a picture, or take a random test image.") : reason);
    m_prediction->bars()->setAnswer({}, {});
    m_prediction->maps()->setActivations({});
    m_prediction->setHint({});
    m_drawing->strip()->clear();
    return;
  }
  const auto picture = toGrey(m_drawing->canvas()->image());
  const auto steps = m_drawing->strip()->steps();
  const auto preprocessing = m_preprocessing;
  const auto classes = classNames(m_session.dataset().get(), m_network.classes);
  m_worker.post(PredictionWorker::Kind::Drawing, [=, this](Predictor& predictor) -> PredictionWorker::Deliver {
    auto answer = std::make_shared<Answer>(look(predictor, picture, steps, preprocessing, classes));
    return [this, answer, classes] {
      if (!answer->digit || m_drawing->canvas()->empty()) return;
      m_prediction->bars()->setAnswer(answer->probabilities, classes);
      m_prediction->maps()->setActivations(std::move(answer->activations));
      m_prediction->setHint(tr("%1 ms on CPU, updated as you draw")
                                .arg(answer->milliseconds, 0, 'f', answer->milliseconds < 0.1 ? 2 : 1));
      m_drawing->strip()->setPrepared(*answer->digit, answer->without);
      m_drawing->setMessage(answer->digit->inverted ? tr("Dark ink on light paper: the picture was inverted.")
                                                    : QString());
    };
  });
}

void TestPage::evaluate() {
  const auto& data = m_session.dataset();
  ++m_evaluation;
  if (!isVisible()) m_evaluatedEpoch = -1;
  if (!data || data->test.count == 0 || !(data->shape == m_network.input) ||
      int(data->classes.size()) != m_network.classes)
    return;
  evaluateFrom(0, std::make_shared<std::vector<Verdict>>(), m_evaluation);
}

/// One chunk in the worker, the next asked for when it is back: a drawing never waits for more than a chunk.
void TestPage::evaluateFrom(int first, std::shared_ptr<std::vector<Verdict>> answers, int generation) {
  const auto data = m_session.dataset();
  const auto preprocessing = m_preprocessing;
  m_worker.post(PredictionWorker::Kind::Evaluation, [=, this](Predictor& predictor) -> PredictionWorker::Deliver {
    std::vector<int> indices(std::size_t(std::min(kChunk, data->test.count - first)));
    std::iota(indices.begin(), indices.end(), first);
    const auto evaluation = predictor.evaluate(data->test, indices, preprocessing);
    const auto classes = evaluation.probabilities.size() / std::max<std::size_t>(1, indices.size());
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const int predicted = evaluation.predicted[i];
      answers->push_back({indices[i], data->test.labels[std::size_t(indices[i])], predicted,
                          evaluation.probabilities[i * classes + std::size_t(predicted)]});
    }
    return [=, this] {
      if (generation != m_evaluation || data != m_session.dataset()) return;
      const int next = first + kChunk;
      if (next < data->test.count) evaluateFrom(next, answers, generation);
      else m_testSet->setVerdicts(*answers);
    };
  });
}

void TestPage::openTestImage(int index) {
  const auto& data = m_session.dataset();
  if (!data || index < 0 || index >= data->test.count) return;
  m_drawing->canvas()->setPicture(sampleImage(data->test, data->shape, index), tr("Test image"));
  const auto label = classNames(data.get(), int(data->classes.size())).value(data->test.labels[std::size_t(index)]);
  m_drawing->setMessage(tr("Test image %1, a %2").arg(number(index), label));
}

void TestPage::randomImage() {
  const auto& data = m_session.dataset();
  if (data && data->test.count > 0) openTestImage(int(QRandomGenerator::global()->bounded(data->test.count)));
}

}  // namespace strata::gui
