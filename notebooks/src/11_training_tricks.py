# %% [markdown] lang="en"
# # Training tricks: which of them help, and how much?
#
# **{Framework}** · about 75 minutes · before this: [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# Texts on deep learning are full of advice: scale the inputs, use batch normalisation, add dropout, decay the weights,
# take Adam. After this lesson you can
#
# - say what each trick does, with its formula;
# - test a trick on small networks, with enough repetitions to tell help from luck;
# - choose first weights that keep a deep network alive;
# - tell the optimizers apart by what each divides by, and check a formula against {Framework};
# - say for which problem a trick was made, and see when you do not have that problem.

# %% [markdown] lang="es"
# # Trucos de entrenamiento: ¿cuáles ayudan y cuánto?
#
# **{Framework}** · unos 75 minutos · antes: [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# Los textos sobre aprendizaje profundo están llenos de consejos: escale las entradas, normalice por lotes, añada
# *dropout*, haga decaer los pesos, use Adam. Al terminar podrá
#
# - decir qué hace cada truco, con su fórmula;
# - ponerlo a prueba con redes pequeñas, con repeticiones suficientes para distinguir la ayuda de la suerte;
# - elegir pesos iniciales que mantengan viva una red profunda;
# - distinguir los optimizadores por aquello entre lo que divide cada uno, y comprobar una fórmula contra {Framework};
# - decir para qué problema se inventó un truco, y darse cuenta de cuándo usted no tiene ese problema.

# %% tags=["parameters"]
LANGUAGE = "en"  # of the figures: "en" or "es"
SEED = 0
DATASET = "drawn_pets_breeds"  # or "oxford_pets_breeds", "cats_vs_dogs", a folder with one sub-folder a class
BACKBONE = "mini_resnet"  # or "mobilenet", "resnet50", ...
IMAGE_SIZE = 64  # side of the images, in pixels; what the backbone was trained at
LABELS_A_CLASS = 10  # labelled training images of each class, at most
NETWORKS = 10  # networks in each experiment; they differ only by chance
MANY_NETWORKS = 40  # the same where small effects are measured
EPOCHS = 25
DEPTH = 12  # hidden layers of the deep networks

# %% [markdown] lang="en"
# ## What do you expect?

# %% [markdown] lang="es"
# ## ¿Qué espera usted?

# %%
# %matplotlib inline
from functools import partial

import numpy as np

from tlhelpers import plots
from tlhelpers.legacy import metrics as evaluation
from tlhelpers.claims import claim
from tlhelpers.data.datasets import load_splits
from tlhelpers.quiz import show_quiz
from tlhelpers.legacy.training_tricks import (
    NetworkPlan,
    average_weights,
    check_number,
    cross_entropy,
    initial_weights,
    learning_rates,
    predict_networks,
    right_answers,
)
from tlhelpers.legacy.training_tricks_plots import new_panels, plot_arrows, plot_curves, plot_luck, plot_paths

ENGLISH = LANGUAGE == "en"
POINTS = "points" if ENGLISH else "puntos"  # differences of percentages
DEFAULT = BACKBONE == "mini_resnet" and DATASET == "drawn_pets_breeds"
claim_here = partial(claim, language=LANGUAGE, asserted=DEFAULT)  # the bounds hold for these data
show_quiz("11_training_tricks/before", LANGUAGE)

# %% framework="pytorch"
import torch

from tlhelpers.legacy.pytorch import extract_features, load_backbone
from tlhelpers.legacy.pytorch.small_networks import follow_optimizer, layer_spreads, train_networks

# %% framework="tensorflow"
from tlhelpers.legacy.tensorflow import extract_features, load_backbone  # isort: skip  (first: it quiets TensorFlow)
import keras
import tensorflow as tf

from tlhelpers.legacy.tensorflow.small_networks import follow_optimizer, layer_spreads, train_networks

# %% [markdown] lang="en"
# ## How we measure
#
# A trick can only be judged by many trainings. So ours must be cheap. We take the
# [features](../../docs/glossary.md#feature) that a frozen [backbone](../../docs/glossary.md#backbone) gives once, and
# train small fully connected networks on them: one hidden [layer](../../docs/glossary.md#layer) of 64 neurons.
#
# And we train ten or forty networks **at once**. All weights have one axis more, one entry a network. They differ
# only by chance: first weights, order of the images. What differs between two settings by less than the networks
# differ among themselves is noise.

# %% [markdown] lang="es"
# ## Cómo medimos
#
# Un truco solo se puede juzgar con muchos entrenamientos, así que los nuestros tienen que ser baratos. Tomamos las
# [características](../../docs/glosario.md#característica) que una [red base](../../docs/glosario.md#red-base)
# congelada da una sola vez, y con ellas entrenamos pequeñas redes densas: una [capa](../../docs/glosario.md#capa)
# oculta de 64 neuronas.
#
# Y entrenamos diez o cuarenta redes **a la vez**. Todos los pesos tienen un eje más, con una entrada por red. Las
# redes solo se diferencian por el azar: pesos iniciales y orden de las imágenes. Si dos ajustes difieren menos de
# lo que difieren las redes entre sí, es ruido.

# %% tags=["nbval-check-output"]
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, val_fraction=0.2, progress=False)
labels_a_class = min(LABELS_A_CLASS, int(np.bincount(data.train.labels).min()))
few = data.train.per_class(labels_a_class, seed=SEED)
y, y_val = few.labels, data.val.labels
classes = len(few.class_names)
for name, part in (("train", few), ("val", data.val), ("test", data.test)):
    print(f"{name:>5}: {len(part):5,}")
print(f"{classes}: {', '.join(few.class_names[:4])} ...")

# %%
backbone = load_backbone(BACKBONE, image_size=IMAGE_SIZE)
raw, raw_val = (extract_features(backbone, part.images, progress=False) for part in (few, data.val))
centre, spread = raw.mean(0), raw.std(0) + 1e-6
x, x_val = (raw - centre) / spread, (raw_val - centre) / spread
plan = NetworkPlan(inputs=x.shape[1], classes=classes, hidden=(64,))


def train(plan=plan, optimizer="adam", lr=3e-3, x=x, y=y, networks=NETWORKS, epochs=EPOCHS, **tricks):
    return train_networks(
        plan, x, y, x_val, y_val, optimizer=optimizer, lr=lr, networks=networks, epochs=epochs, seed=SEED,
        batch_size=min(32, len(x)), **tricks,
    )  # fmt: skip


# %% [markdown] lang="en"
# With other data than the drawn breeds the numbers are shown all the same, but no bound is asked for.
#
# ## 1. Scale the inputs
#
# Suppose half of your inputs come in metres and half in centimetres. The network gets the same information. Does it
# learn as well?
#
# One step of gradient descent ([SGD](../../docs/glossary.md#sgd)) is
#
# $$w_{t+1} = w_t - \eta \, g_t$$
#
# Here $w_t$ is a weight at step $t$, $\eta$ the [learning rate](../../docs/glossary.md#learning-rate), and $g_t$ the
# [gradient](../../docs/glossary.md#gradient): how fast the loss grows with this weight. The gradient of a weight is
# proportional to its input. So an input a hundred times larger gives a gradient a hundred times larger, and there
# is only one $\eta$ for all. **Standardising** subtracts from each input its mean and divides by its standard
# deviation, both taken from the training images only.
#
# We take a linear classifier and every learning rate from tiny to huge.

# %% [markdown] lang="es"
# Con otros datos que no sean las razas dibujadas, los números se muestran igual, pero no se exige ninguna cota.
#
# ## 1. Escalar las entradas
#
# Suponga que la mitad de sus entradas vienen en metros y la otra mitad en centímetros. La red recibe la misma
# información. ¿Aprende igual de bien?
#
# Un paso del descenso de gradiente ([SGD](../../docs/glosario.md#sgd)) es
#
# $$w_{t+1} = w_t - \eta \, g_t$$
#
# Aquí $w_t$ es un peso en el paso $t$, $\eta$ la [tasa de aprendizaje](../../docs/glosario.md#tasa-de-aprendizaje) y
# $g_t$ el [gradiente](../../docs/glosario.md#gradiente): lo deprisa que crece la pérdida con ese peso. El
# gradiente de un peso es proporcional a su entrada. Así que una entrada cien veces mayor da un gradiente cien
# veces mayor, y solo hay una $\eta$ para todos. **Estandarizar** es restar a cada entrada su media y dividirla por
# su desviación típica, ambas calculadas solo con las imágenes de entrenamiento.
#
# Tomamos un clasificador lineal y todas las tasas de aprendizaje, de diminutas a enormes.

# %%
units = np.where(np.arange(x.shape[1]) % 2, 100, 1)  # every second input in centimetres
kinds = {
    "as they are" if ENGLISH else "tal cual": (raw, raw_val),
    "mixed units" if ENGLISH else "unidades mezcladas": (units * raw, units * raw_val),
    "standardised" if ENGLISH else "estandarizadas": (x, x_val),
}
linear = NetworkPlan(x.shape[1], classes, hidden=())
rates = 10.0 ** np.arange(-4, 1)
best_loss, best_accuracy, loss_curves = {}, {}, {"sgd": {}, "adam": {}}
for optimizer, curves in loss_curves.items():
    for kind, (name, (a, b)) in zip(("raw", "mixed", "standard"), kinds.items()):
        runs = [train_networks(linear, a, y, b, y_val, optimizer=optimizer, lr=lr, networks=3, epochs=20,
                               batch_size=min(32, len(y)), seed=SEED) for lr in rates]  # fmt: skip
        curves[name] = np.maximum(np.stack([run.loss[:, -1] for run in runs], 1), 0.01)  # below it is known by heart
        best_loss[optimizer, kind] = curves[name].mean(0).min()
        best_accuracy[optimizer, kind] = max(run.val_accuracy[:, -1].mean() for run in runs)

# %%
axes = new_panels(share=True)
for ax, (optimizer, curves) in zip(axes, loss_curves.items()):
    plot_curves(rates, curves, ("rate", "training loss"), log="xy", language=LANGUAGE, ax=ax)
    title = ax.set_title({"sgd": "SGD", "adam": "Adam"}[optimizer])

# %% [markdown] lang="en"
# *Training loss after 20 epochs for each learning rate (lower is better; the band spans three networks; 0.01
# stands for everything below). Left plain gradient descent, right Adam, which section 9 explains.*

# %% [markdown] lang="es"
# *Pérdida de entrenamiento tras 20 épocas para cada tasa de aprendizaje (menos es mejor; la banda abarca tres redes;
# 0,01 representa todo lo que queda por debajo). A la izquierda, descenso de gradiente simple; a la derecha, Adam,
# que se explica en la sección 9.*

# %%
claim_here(
    "mixed_units_stall_sgd",
    best_loss["sgd", "mixed"] / best_loss["sgd", "standard"],
    en="With mixed units SGD's loss stays at least twice that of standardised inputs, each at its best rate",
    es="Con unidades mezcladas, la pérdida de SGD queda al menos en el doble que con entradas estandarizadas, cada una "
    "con su mejor tasa",
    at_least=2,
)
claim_here(
    "adam_minds_units_less",
    best_loss["adam", "mixed"] / best_loss["sgd", "mixed"],
    en="Adam minds mixed units less: it gets to half of SGD's loss or lower",
    es="A Adam le importan menos las unidades mezcladas: llega a la mitad de la pérdida de SGD o menos",
    at_most=0.5,
)
claim_here(
    "similar_units_need_little",
    100 * abs(best_accuracy["sgd", "raw"] - best_accuracy["sgd", "standard"]),
    en="The backbone's features have similar units already: standardising them changes accuracy by 5 points at most",
    es="Las características de la red base ya tienen unidades parecidas: estandarizarlas cambia la exactitud en 5 "
    "puntos como mucho",
    at_most=5,
    unit=POINTS,
)

# %% [markdown] lang="en"
# So scaling is not magic. It mends one defect: inputs of very different size. A backbone's features hardly have it.
#
# ## 2. First weights: how large?
#
# A neuron adds up $n$ inputs, each times a weight. Let inputs and weights be random with mean 0 and spread (standard
# deviation) 1. How far does the sum spread: about 1, about $\sqrt{n}$, or about $n$? Guess before you run the cell.

# %% [markdown] lang="es"
# Escalar no es magia, pues. Remedia un defecto: entradas de tamaños muy distintos. Las características de una red base
# apenas lo tienen.
#
# ## 2. Pesos iniciales: ¿de qué tamaño?
#
# Una neurona suma $n$ entradas, cada una multiplicada por un peso. Sean entradas y pesos aleatorios, con media 0 y
# dispersión (desviación típica) 1. ¿Cuánto se dispersa la suma: alrededor de 1, de $\sqrt{n}$ o de $n$? Apueste
# antes de ejecutar la celda.

# %%
rng = np.random.default_rng(SEED)
sizes = 4 ** np.arange(1, 7)
spreads = []
for n in sizes:
    inputs = rng.standard_normal((1000, n), np.float32)
    weights = rng.standard_normal((n, 200), np.float32)
    spreads.append((inputs @ weights).std())
names = ("measured", "√n") if ENGLISH else ("medida", "√n")
ax = plot_curves(sizes, dict(zip(names, (spreads, np.sqrt(sizes)))), ("inputs", "spread"), log="xy", language=LANGUAGE)

# %% [markdown] lang="en"
# *Spread of a neuron's sum over its number of inputs; both axes are logarithmic. The two lines lie on one another.*

# %% [markdown] lang="es"
# *Dispersión de la suma de una neurona según su número de entradas; los dos ejes son logarítmicos. Las dos líneas se
# superponen.*

# %%
claim(
    "spread_is_root_n",
    np.abs(np.array(spreads) / np.sqrt(sizes) - 1).max(),
    en="With weights of variance 1 the output spreads by the root of n, to a tenth",
    es="Con pesos de varianza 1, la salida se dispersa como la raíz de n, con un margen de una décima",
    at_most=0.1,
    language=LANGUAGE,
)
claim(
    "slope_one_half",
    np.polyfit(np.log(sizes), np.log(spreads), 1)[0],
    en="On logarithmic axes the slope is one half",
    es="En ejes logarítmicos la pendiente es un medio",
    at_least=0.47,
    at_most=0.53,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# Why the root? Variances of independent numbers add up. Each product has variance 1, so the sum of $n$ has
# variance $n$, and spread $\sqrt{n}$. Two layers of 100 inputs make numbers a hundred times too large, ten layers
# $10^{10}$ times.
#
# The remedy: make the weights smaller, so that the spread stays.
#
# - **Glorot**: $\sigma = \sqrt{2 / (n_\text{in} + n_\text{out})}$
# - **He**: $\sigma = \sqrt{2 / n_\text{in}}$
#
# Here $\sigma$ is the spread of the first weights, $n_\text{in}$ the number of inputs of a neuron, and
# $n_\text{out}$ the number of neurons in the layer. Glorot is a compromise between the way forward (inputs) and
# the way back (gradients). He doubles the variance since ReLU, the [activation
# function](../../docs/glossary.md#activation-function) that replaces negative numbers by 0, throws away half.
# {Framework} has both:

# %% [markdown] lang="es"
# ¿Por qué la raíz? Las varianzas de números independientes se suman. Cada producto tiene varianza 1; la suma de
# $n$ tiene varianza $n$ y dispersión $\sqrt{n}$. Dos capas de 100 entradas dan números cien veces mayores de lo
# debido; diez capas, $10^{10}$ veces.
#
# El remedio: pesos más pequeños, para que la dispersión se mantenga.
#
# - **Glorot**: $\sigma = \sqrt{2 / (n_\text{in} + n_\text{out})}$
# - **He**: $\sigma = \sqrt{2 / n_\text{in}}$
#
# Aquí $\sigma$ es la dispersión de los pesos iniciales, $n_\text{in}$ el número de entradas de una neurona y
# $n_\text{out}$ el número de neuronas de la capa. Glorot es un compromiso entre el camino de ida (entradas) y el de
# vuelta (gradientes). He duplica la varianza porque ReLU, la
# [función de activación](../../docs/glosario.md#función-de-activación) que cambia los números negativos por 0, tira la
# mitad. {Framework} tiene las dos:

# %% framework="pytorch"
torch.manual_seed(SEED)
own_glorot = torch.nn.init.xavier_normal_(torch.empty(100, 400)).std().item()  # PyTorch: (outputs, inputs)
own_he = torch.nn.init.kaiming_normal_(torch.empty(100, 400), nonlinearity="relu").std().item()
print(f"Glorot {own_glorot:.4f}, He {own_he:.4f}")

# %% framework="tensorflow"
own_glorot = float(np.std(keras.initializers.GlorotNormal(seed=SEED)((400, 100))))  # Keras: (inputs, outputs)
own_he = float(np.std(keras.initializers.HeNormal(seed=SEED)((400, 100))))
print(f"Glorot {own_glorot:.4f}, He {own_he:.4f}")

# %%
claim(
    "own_initialisers_follow",
    max(abs(own_glorot / np.sqrt(2 / 500) - 1), abs(own_he / np.sqrt(2 / 400) - 1)),
    en="The framework's own initialisers follow these formulas, to one in twenty",
    es="Los inicializadores del propio marco siguen estas fórmulas, con un margen de uno entre veinte",
    at_most=0.05,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# **Your turn.** A ReLU layer has 800 inputs and 300 neurons. Which spread would He give its weights?

# %% [markdown] lang="es"
# **Le toca a usted.** Una capa con ReLU tiene 800 entradas y 300 neuronas. ¿Qué dispersión daría He a sus pesos?

# %%
my_answer = None
HINT = "Only the inputs count." if ENGLISH else "Solo cuentan las entradas."
done = check_number(my_answer, np.sqrt(2 / 800), hint=HINT, language=LANGUAGE)

# %% tags=["solution"]
my_answer = (2 / 800) ** 0.5
assert check_number(my_answer, np.sqrt(2 / 800), hint=HINT, language=LANGUAGE)

# %% [markdown] lang="en"
# ## 3. Vanishing and exploding gradients
#
# On its way back through the layers a gradient is multiplied again and again. By factors below 1 it
# [vanishes](../../docs/glossary.md#vanishing-gradient), above 1 it
# [explodes](../../docs/glossary.md#exploding-gradient). The slope of the sigmoid $1/(1+e^{-z})$ is never more than
# $1/4$. What is left of a gradient after twenty such layers?

# %% [markdown] lang="es"
# ## 3. Gradientes que se desvanecen y que explotan
#
# En su camino de vuelta por las capas, un gradiente se multiplica una y otra vez. Por factores menores que 1
# [se desvanece](../../docs/glosario.md#gradiente-evanescente); por factores mayores que 1,
# [explota](../../docs/glosario.md#gradiente-explosivo). La pendiente de la sigmoide $1/(1+e^{-z})$ nunca pasa de
# $1/4$. ¿Qué queda de un gradiente tras veinte capas así?

# %%
cases = {
    "sigmoid, Glorot": ("sigmoid", "glorot"),
    "tanh, Glorot": ("tanh", "glorot"),
    "ReLU, Glorot": ("relu", "glorot"),
    "ReLU, He": ("relu", "he"),
    "ReLU, 1": ("relu", "unit"),
}
outputs, gradients = {}, {}
for name, (activation, initialisation) in cases.items():
    deep = NetworkPlan(x.shape[1], classes, hidden=(64,) * 20, activation=activation)
    start = initial_weights(deep, NETWORKS, initialisation=initialisation, seed=SEED)
    outputs[name], gradients[name] = layer_spreads(deep, start, x[:64], y[:64])
axes = new_panels()
layers = np.arange(1, 21)
plot_curves(layers, outputs, ("layer", "output"), log="y", legend=False, language=LANGUAGE, ax=axes[0])
plot_curves(layers, gradients, ("layer", "gradient"), log="y", legend=False, language=LANGUAGE, ax=axes[1])
legend = axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)

# %% [markdown] lang="en"
# *Twenty hidden layers before any training. Left: how large the outputs of each layer are (read from left to
# right). Right: how large the gradients are that come back to it (read from right to left). “1” means weights of
# variance 1. Both scales are logarithmic.*

# %% [markdown] lang="es"
# *Veinte capas ocultas antes de entrenar. Izquierda: lo grandes que son las salidas de cada capa (léase de izquierda a
# derecha). Derecha: lo grandes que son los gradientes que le llegan de vuelta (léase de derecha a izquierda). «1»
# significa pesos de varianza 1. Las dos escalas son logarítmicas.*


# %%
def decades(name):  # powers of ten between the gradient at the first and at the last hidden layer
    means = gradients[name].mean(0)
    return np.log10(means[0] / means[-1])


claim(
    "sigmoid_vanishes",
    decades("sigmoid, Glorot"),
    en="With sigmoids less than a millionth of the gradient reaches the first layer (powers of ten)",
    es="Con sigmoides, a la primera capa llega menos de una millonésima del gradiente (potencias de diez)",
    at_most=-6,
    language=LANGUAGE,
)
claim(
    "unit_weights_explode",
    decades("ReLU, 1"),
    en="With weights of variance 1 the gradient grows more than a million times (powers of ten)",
    es="Con pesos de varianza 1, el gradiente crece más de un millón de veces (potencias de diez)",
    at_least=6,
    language=LANGUAGE,
)
claim(
    "he_keeps_relu_alive",
    abs(decades("ReLU, He")),
    en="With ReLU and He the gradient stays within a factor of ten over twenty layers (powers of ten)",
    es="Con ReLU y He, el gradiente se mantiene dentro de un factor diez a lo largo de veinte capas (potencias de diez)",
    at_most=1,
    language=LANGUAGE,
)
claim(
    "glorot_relu_loses_root_half",
    10 ** (decades("ReLU, Glorot") / 19),
    en="ReLU with Glorot keeps √½ ≈ 0.71 of the gradient a layer, as the formulas say",
    es="ReLU con Glorot conserva √½ ≈ 0,71 del gradiente por capa, como dicen las fórmulas",
    at_least=0.65,
    at_most=0.77,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# Does it matter for learning? Here are networks of that kind in training, all with Adam and the same learning rate.

# %% [markdown] lang="es"
# ¿Importa para aprender? Entrenemos redes de ese tipo, todas con Adam y la misma tasa de aprendizaje.

# %%
deep_runs = {}
for name in ("sigmoid, Glorot", "ReLU, Glorot", "ReLU, He"):
    activation, initialisation = cases[name]
    deep = NetworkPlan(x.shape[1], classes, hidden=(64,) * DEPTH, activation=activation)
    deep_runs[name] = train(deep, networks=5, initialisation=initialisation)
epochs = np.arange(1, EPOCHS + 1)
losses = {name: run.loss for name, run in deep_runs.items()}
ax = plot_curves(epochs, losses, ("epoch", "training loss"), language=LANGUAGE)
deep_accuracy = {name: 100 * run.val_accuracy[:, -1].mean() for name, run in deep_runs.items()}
claim_here(
    "deep_needs_its_gradient",
    deep_accuracy["ReLU, He"] - deep_accuracy["sigmoid, Glorot"],
    en="Deep networks with ReLU and He learn, and deep ones with sigmoids do not: at least 30 points lie between them",
    es="Las redes profundas con ReLU y He aprenden y las de sigmoides no: hay al menos 30 puntos entre ellas",
    at_least=30,
    unit=POINTS,
)

# %% [markdown] lang="en"
# *Training loss of networks of the depth in the parameters; mean and range of five.*
#
# ## 4. Batch normalisation
#
# [Batch normalisation](../../docs/glossary.md#batch-normalisation) (BatchNorm) does not trust to a good start. In
# every layer and every step it sets mean and spread right:
#
# $$\hat z = \frac{z - \mu}{\sqrt{s^2 + \varepsilon}}, \qquad \text{output} = \gamma \, \hat z + \beta$$
#
# Here $z$ is what a neuron has added up, $\mu$ and $s^2$ are the mean and the variance of $z$ over the images of the
# [batch](../../docs/glossary.md#batch), $\varepsilon$ is a small number against division by zero, and $\gamma$ and
# $\beta$ are learnt. For predictions running means of $\mu$ and $s^2$ are used, so that an image's answer does not
# depend on its neighbours.
#
# Two questions. Does it forgive bad first weights? Does it help when the first weights were good? We train each
# with and without, from weights too small (a quarter of He's), right, and too large (twice He's), and at three
# depths.

# %% [markdown] lang="es"
# *Pérdida de entrenamiento de redes con la profundidad indicada en los parámetros; media y rango de cinco.*
#
# ## 4. Normalización por lotes
#
# La [normalización por lotes](../../docs/glosario.md#normalización-por-lotes) (BatchNorm) no confía en un buen
# comienzo. En cada capa y en cada paso pone en su sitio la media y la dispersión:
#
# $$\hat z = \frac{z - \mu}{\sqrt{s^2 + \varepsilon}}, \qquad \text{salida} = \gamma \, \hat z + \beta$$
#
# Aquí $z$ es lo que una neurona ha sumado, $\mu$ y $s^2$ son la media y la varianza de $z$ sobre las imágenes del
# [lote](../../docs/glosario.md#lote), $\varepsilon$ es un número pequeño que evita dividir por cero, y $\gamma$ y
# $\beta$ se aprenden. Para predecir se usan medias móviles de $\mu$ y $s^2$, para que la respuesta a una imagen no
# dependa de sus vecinas.
#
# Dos preguntas. ¿Perdona unos malos pesos iniciales? ¿Ayuda si los pesos iniciales eran buenos? Entrenamos con y sin
# ella, desde pesos demasiado pequeños (un cuarto de los de He), correctos y demasiado grandes (el doble), y con tres
# profundidades.

# %%
settings = [(8, 0.25), (8, 1.0), (8, 2.0), (2, 1.0), (DEPTH, 1.0)]  # hidden layers, first weights in units of He's
accuracy = {}
for depth, scale in settings:
    for normalised in (False, True):
        deep = NetworkPlan(x.shape[1], classes, hidden=(64,) * depth, batch_norm=normalised)
        run = train(deep, networks=5, initialisation=scale)
        accuracy[depth, scale, normalised] = 100 * run.val_accuracy[:, -1]

# %%
axes = new_panels(share=True)
words = {False: "without" if ENGLISH else "sin", True: "BatchNorm"}
depths, scales = (2, 8, DEPTH), (0.25, 1.0, 2.0)
by_scale = {words[k]: np.stack([accuracy[8, s, k] for s in scales], 1) for k in words}
by_depth = {words[k]: np.stack([accuracy[d, 1.0, k] for d in depths], 1) for k in words}
plot_curves(scales, by_scale, ("initial", "accuracy"), log="x", language=LANGUAGE, ax=axes[0])
axes[0].set_xticks(scales, [f"{s:g}" for s in scales])
axes[0].minorticks_off()
plot_curves(depths, by_depth, ("depth", "accuracy"), language=LANGUAGE, ax=axes[1])
ticks = axes[1].set_xticks(depths)

# %% [markdown] lang="en"
# *Validation accuracy, mean and range of five networks. Left: eight hidden layers, first weights too small, right,
# too large. Right: good first weights, at three depths.*

# %% [markdown] lang="es"
# *Exactitud de validación, media y rango de cinco redes. Izquierda: ocho capas ocultas, con pesos iniciales demasiado
# pequeños, correctos y demasiado grandes. Derecha: buenos pesos iniciales, con tres profundidades.*

# %%
rescue = {s: accuracy[8, s, True].mean() - accuracy[8, s, False].mean() for s in scales}
print({f"{s:g} × He": f"{value:+.1f} {POINTS}" for s, value in rescue.items()})
with_bn = NetworkPlan(x.shape[1], classes, hidden=(64,) * DEPTH, batch_norm=True)
start = initial_weights(with_bn, NETWORKS, seed=SEED)
tenfold = {k: 10 * v if k.startswith("kernel") else v for k, v in start.items()}
(usual, bn_gradients), (large, _) = (layer_spreads(with_bn, w, x[:64], y[:64]) for w in (start, tenfold))
claim(
    "bn_ignores_the_scale",
    np.abs(large / usual - 1).max(),
    en="With BatchNorm, weights ten times as large give the same outputs, to one per cent",
    es="Con BatchNorm, unos pesos diez veces mayores dan las mismas salidas, con un margen del uno por ciento",
    at_most=0.01,
    language=LANGUAGE,
)
claim_here(
    "bn_forgives_bad_starts",
    (rescue[0.25] + rescue[2.0]) / 2,
    en="From bad first weights BatchNorm gains 20 points or more, the mean of both",
    es="Con malos pesos iniciales, BatchNorm gana 20 puntos o más, en la media de los dos",
    at_least=20,
    unit=POINTS,
)

# %% [markdown] lang="en"
# So BatchNorm is an insurance against a bad start. Textbooks go on: "and deeper networks train better with it".
# With good first weights our measurement says the opposite. Why? In a deep network without shortcuts, BatchNorm
# makes the gradients *grow* on their way back, by about a fifth in each layer (Yang et al. 2019). Residual
# networks, such as our backbone, have shortcuts by which a gradient
# can pass around the layers.

# %% [markdown] lang="es"
# BatchNorm es, pues, un seguro contra un mal comienzo. Los manuales siguen: «y con ella las redes más profundas se
# entrenan mejor». Con buenos pesos iniciales nuestra medición dice lo contrario. ¿Por qué? En una red profunda sin
# atajos, BatchNorm hace *crecer* los gradientes en su camino de vuelta, alrededor de una quinta parte en cada capa
# (Yang et al. 2019). Las redes residuales, como nuestra red base, tienen atajos por los que un
# gradiente puede rodear las capas.

# %%
claim(
    "bn_gradients_grow",
    (bn_gradients.mean(0)[0] / bn_gradients.mean(0)[-1]) ** (1 / (DEPTH - 1)),
    en="With BatchNorm and without shortcuts the gradient grows by a tenth to a third a layer",
    es="Con BatchNorm y sin atajos, el gradiente crece entre una décima y un tercio por capa",
    at_least=1.1,
    at_most=1.34,
    language=LANGUAGE,
)
claim_here(
    "bn_does_not_help_deep_he",
    accuracy[DEPTH, 1.0, True].mean() - accuracy[DEPTH, 1.0, False].mean(),
    en="The deepest network with good first weights is worse with BatchNorm",
    es="La red más profunda, con buenos pesos iniciales, es peor con BatchNorm",
    at_most=0,
    unit=POINTS,
)

# %% [markdown] lang="en"
# ## 5. Dropout, with enough seeds
#
# [Dropout](../../docs/glossary.md#dropout) leaves out each hidden neuron in each training step with probability
# $p$. The rest are multiplied by $1/(1-p)$, so that the mean stays. For predictions nothing is left out.

# %% [markdown] lang="es"
# ## 5. *Dropout*, con suficientes semillas
#
# El [dropout](../../docs/glosario.md#dropout) apaga cada neurona oculta, en cada paso del entrenamiento, con
# probabilidad $p$. Las demás se multiplican por $1/(1-p)$, para que la media se mantenga. Para predecir no se
# apaga nada.

# %% framework="pytorch"
torch.manual_seed(SEED)
dropout = torch.nn.Dropout(0.5)
ones = torch.ones(10000)
in_training = dropout.train()(ones).numpy()
in_prediction = dropout.eval()(ones).numpy()
print(in_training[:10], in_prediction[:10])

# %% framework="tensorflow"
keras.utils.set_random_seed(SEED)
dropout = keras.layers.Dropout(0.5)
ones = tf.ones(10000)
in_training = dropout(ones, training=True).numpy()
in_prediction = dropout(ones, training=False).numpy()
print(in_training[:10], in_prediction[:10])

# %%
claim(
    "dropout_keeps_the_mean",
    in_training.mean(),
    en="Dropout keeps the mean: ones stay 1 on average",
    es="El dropout conserva la media: los unos siguen valiendo 1 en promedio",
    at_least=0.95,
    at_most=1.05,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# How much does it help? That question is often answered with three runs. We use as many networks as
# `MANY_NETWORKS` says, for each rate.

# %% [markdown] lang="es"
# ¿Cuánto ayuda? A menudo se responde con tres ejecuciones. Nosotros usamos tantas redes como diga
# `MANY_NETWORKS`, con cada probabilidad.

# %%
dropout_runs = {p: train(networks=MANY_NETWORKS, dropout=p) for p in (0.0, 0.5, 0.8)}
right, gaps = {}, {}
for p, run in dropout_runs.items():
    answers = predict_networks(plan, run.weights, x_val)
    right[p] = right_answers(y_val, answers)
    gaps[p] = cross_entropy(y_val, answers) - cross_entropy(y, predict_networks(plan, run.weights, x))
    difference = evaluation.describe_difference(evaluation.paired_difference(right[0.0], right[p]), LANGUAGE)
    print(f"p = {p}: {right[p].mean():.1%}", f"({difference})" if p else "")

# %%
gain = right[0.5].mean(1) - right[0.0].mean(1)  # of each network
rng = np.random.default_rng(SEED)
luck = {f"{k} {'seeds' if ENGLISH else 'semillas'}": [gain[rng.integers(0, len(gain), k)].mean() for _ in range(4000)]
        for k in (3, 10, MANY_NETWORKS)}  # fmt: skip
ax = plot_luck(luck, language=LANGUAGE)

# %% [markdown] lang="en"
# *What we would have reported for $p = 0.5$ with 3, 10 or more seeds: the measured networks, drawn again and again.
# The dotted line is “no difference”.*

# %% [markdown] lang="es"
# *Lo que habríamos comunicado para $p = 0{,}5$ con 3, 10 o más semillas: las redes medidas, sorteadas una y otra
# vez. La línea de puntos es «ninguna diferencia».*

# %%
narrower = evaluation.mean_interval(gaps[0.0] - gaps[0.5])
three = np.quantile(next(iter(luck.values())), [0.025, 0.975])
effect = evaluation.paired_difference(right[0.0], right[0.5])
claim_here(
    "dropout_narrows_the_gap",
    narrower.low,
    en="Dropout narrows the gap between training and validation loss: the whole interval is above zero",
    es="El dropout reduce la brecha entre la pérdida de entrenamiento y la de validación: todo el intervalo es mayor que "
    "cero",
    at_least=0,
    unit="nats",
)
claim_here(
    "dropout_moves_accuracy_little",
    100 * abs(effect.value),
    en="What dropout changes in accuracy is small here: 4 points at most",
    es="Lo que el dropout cambia en la exactitud es aquí pequeño: 4 puntos como mucho",
    at_most=4,
    unit=POINTS,
)
claim_here(
    "three_seeds_scatter",
    100 * (three[1] - three[0]),
    en="Results from three seeds scatter over more than one point, by luck alone",
    es="Los resultados con tres semillas se dispersan más de un punto, solo por suerte",
    at_least=1,
    unit=POINTS,
)

# %% [markdown] lang="en"
# ## 6. Early stopping
#
# [Early stopping](../../docs/glossary.md#early-stopping) keeps the weights of the
# [epoch](../../docs/glossary.md#epoch) with the lowest validation loss. It helps where a network first learns what
# is common and then learns single images by heart. To see that clearly we spoil three labels in ten: real
# collections have wrong labels too.
#
# Who chooses may not judge. So we divide the validation images: one half says when to stop, the other says what it
# brought.

# %% [markdown] lang="es"
# ## 6. Parada temprana
#
# La [parada temprana](../../docs/glosario.md#parada-temprana) conserva los pesos de la
# [época](../../docs/glosario.md#época) con la menor pérdida de validación. Ayuda cuando una red aprende primero lo
# común y después se aprende de memoria imágenes sueltas. Para verlo con claridad estropeamos tres etiquetas de
# cada diez: en las colecciones reales también hay etiquetas erróneas.
#
# Quien elige no puede juzgar. Por eso dividimos las imágenes de validación: una mitad dice cuándo parar; la otra, qué
# se ha ganado con ello.

# %%
rng = np.random.default_rng(SEED)
spoiled = np.where(rng.random(len(y)) < 0.3, rng.integers(0, classes, len(y)), y)
run = train(y=spoiled, lr=1e-2, epochs=60, snapshots=60)
half = rng.permutation(len(y_val)) < len(y_val) // 2
chooser, judge = (x_val[half], y_val[half]), (x_val[~half], y_val[~half])
curve = np.stack([cross_entropy(chooser[1], predict_networks(plan, w, chooser[0])) for w in run.snapshots], 1)
judged = np.stack([predict_networks(plan, w, judge[0]) for w in run.snapshots], 1)  # networks, epochs, images, classes
stop, each = curve.argmin(1), np.arange(NETWORKS)
names = ("training", "validation") if ENGLISH else ("entrenamiento", "validación")
ax = plot_curves(np.arange(1, len(curve[0]) + 1), dict(zip(names, (run.loss, curve))), ("epoch", "loss"),
                 language=LANGUAGE)  # fmt: skip
line = ax.axvline(np.median(stop) + 1, color="#999999", linewidth=1, linestyle=":")

# %% [markdown] lang="en"
# *Loss over epochs with three labels in ten spoiled, mean and range of the networks. The dotted line: where half
# of the networks would have stopped.*

# %% [markdown] lang="es"
# *Pérdida por épocas con tres de cada diez etiquetas estropeadas, media y rango de las redes. La línea de puntos:
# donde la mitad de las redes habría parado.*

# %%
stopped, last = judged[each, stop], judged[:, -1]
losses = {name: cross_entropy(judge[1], answers).mean() for name, answers in (("stop", stopped), ("end", last))}
change = evaluation.paired_difference(right_answers(judge[1], last), right_answers(judge[1], stopped))
print(("Accuracy, stopped against the end: " if ENGLISH else "Exactitud, parar frente a seguir: ")
      + evaluation.describe_difference(change, LANGUAGE))  # fmt: skip
claim_here(
    "training_on_costs_loss",
    losses["end"] / losses["stop"],
    en="On the other half of the images, training on to the end raises the loss by a tenth or more",
    es="En la otra mitad de las imágenes, entrenar hasta el final sube la pérdida una décima parte o más",
    at_least=1.1,
)
claim_here(
    "stopping_saves_epochs",
    100 * (np.median(stop) + 1) / len(run.snapshots),
    en="The best epoch lies in the first half",
    es="La mejor época está en la primera mitad",
    at_most=50,
    unit="%",
)

# %% [markdown] lang="en"
# And accuracy? The printed line says it: the textbook promises that stopping helps, and here accuracy went on
# growing after the loss had turned. The loss punishes being *sure and wrong*; accuracy does not. A network that is
# unsure of everything has a good loss early. So stop by what you care about.

# %% [markdown] lang="es"
# ¿Y la exactitud? Lo dice la línea impresa: el manual promete que parar ayuda, y aquí la exactitud siguió creciendo
# después de que la pérdida diera la vuelta. La pérdida castiga estar *seguro y equivocado*; la exactitud, no. Una red
# que no está segura de nada tiene pronto una buena pérdida. Así que pare según lo que a usted le importe.

# %%
claim_here(
    "lowest_loss_is_not_best_accuracy",
    100 * change.value,
    en="Stopping at the lowest validation loss does not raise the accuracy here",
    es="Parar en la menor pérdida de validación no sube aquí la exactitud",
    at_most=0,
    unit=POINTS,
)

# %% [markdown] lang="en"
# ## 7. Weight decay
#
# Large weights make sudden turns possible. Two ways to keep them small are often taken for the same thing.
#
# - **L2 penalty**: add $\frac{\lambda}{2} w^2$ to the loss. Then $\lambda w$ joins the gradient:
#   $g_t \to g_t + \lambda w_t$.
# - **Decoupled [weight decay](../../docs/glossary.md#weight-decay)**: leave the gradient alone, and shrink the
#   weights before each step: $w_t \to (1 - \eta\lambda)\, w_t$.
#
# Here $\lambda$ is the strength and $\eta$ the learning rate. With plain SGD both are the same: put
# $g_t + \lambda w_t$ into the step, and you get $(1-\eta\lambda) w_t - \eta g_t$. And with Adam? Adam divides the
# gradient by its usual size. What happens to $\lambda w_t$ if it is inside?

# %% [markdown] lang="es"
# ## 7. Decaimiento de pesos
#
# Los pesos grandes permiten giros bruscos. Hay dos maneras de mantenerlos pequeños que a menudo se toman por la misma.
#
# - **Penalización L2**: sumar $\frac{\lambda}{2} w^2$ a la pérdida. Entonces $\lambda w$ se une al gradiente:
#   $g_t \to g_t + \lambda w_t$.
# - **[Decaimiento de pesos](../../docs/glosario.md#decaimiento-de-pesos) desacoplado**: no tocar el gradiente y
#   encoger los pesos antes de cada paso: $w_t \to (1 - \eta\lambda)\, w_t$.
#
# Aquí $\lambda$ es la intensidad y $\eta$ la tasa de aprendizaje. Con SGD simple son lo mismo: ponga
# $g_t + \lambda w_t$ en el paso y obtendrá $(1-\eta\lambda) w_t - \eta g_t$. ¿Y con Adam? Adam divide el gradiente
# por su tamaño habitual. ¿Qué le pasa a $\lambda w_t$ si está dentro?


# %%
def noise(scale, seed=SEED):  # a gradient that says nothing: only its size is known
    rng = np.random.default_rng(seed)
    return lambda w: scale * rng.standard_normal(len(w))


sizes = (0.01, 0.1, 1.0, 10.0)
left = {}
for way in ("l2", "weight_decay"):
    for optimizer in ("sgd", "adam"):
        path = follow_optimizer(optimizer, noise(np.repeat(sizes, 200)), np.ones(800), steps=300, lr=0.01, **{way: 0.1})
        left[way, optimizer] = path[-1]
sgd_gap = np.abs(left["l2", "sgd"] - left["weight_decay", "sgd"]).max()
shares = {way: left[way, "adam"].reshape(4, 200).mean(1) for way in ("l2", "weight_decay")}
names = ("L2", "decoupled") if ENGLISH else ("L2", "desacoplado")
ax = plot_curves(sizes, dict(zip(names, (100 * shares["l2"], 100 * shares["weight_decay"]))),
                 ("gradient scale", "share"), log="x", language=LANGUAGE)  # fmt: skip

# %% [markdown] lang="en"
# *How much is left of weights that started at 1, after 300 steps of Adam with gradients of pure noise. The
# strength is the same everywhere; only the size of the noise differs.*

# %% [markdown] lang="es"
# *Cuánto queda de unos pesos que empezaron en 1, tras 300 pasos de Adam con gradientes de puro ruido. La
# intensidad es la misma en todas partes; solo cambia el tamaño del ruido.*

# %%
claim(
    "sgd_l2_is_decay",
    sgd_gap,
    en="With plain SGD the two ways give the same weights",
    es="Con SGD simple las dos maneras dan los mismos pesos",
    at_most=1e-4,
    language=LANGUAGE,
)
claim(
    "decoupled_treats_all_alike",
    shares["weight_decay"].max() / shares["weight_decay"].min(),
    en="With Adam, decoupled decay shrinks all weights alike, to a fifth",
    es="Con Adam, el decaimiento desacoplado encoge todos los pesos por igual, con un margen de una quinta parte",
    at_most=1.2,
    language=LANGUAGE,
)
claim(
    "l2_spares_the_loud",
    shares["l2"].max() - shares["l2"].min(),
    en="With Adam, L2 does not: between weights with small and large gradients lies more than half of the weight",
    es="Con Adam, L2 no: entre los pesos de gradientes pequeños y los de gradientes grandes hay más de medio peso de "
    "diferencia",
    at_least=0.5,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# The gradient inside is divided by its size, and $\lambda w$ with it: weights with loud gradients are hardly
# decayed. That is why AdamW exists. But is it better on our task? We try both over a range of strengths.

# %% [markdown] lang="es"
# El gradiente de dentro se divide por su tamaño, y $\lambda w$ con él: los pesos de gradientes fuertes apenas
# decaen. Por eso existe AdamW. Pero ¿es mejor en nuestra tarea? Probamos las dos maneras con varias intensidades.

# %%
strengths = (0.03, 0.1, 0.3, 1.0, 3.0)
decay_runs = {(way, k): train(**{way: k}) for way in ("l2", "weight_decay") for k in strengths}
decay_curves = {
    name: np.stack([100 * decay_runs[way, k].val_accuracy[:, -1] for k in strengths], 1)
    for name, way in zip(names, ("l2", "weight_decay"))
}
ax = plot_curves(strengths, decay_curves, ("strength", "accuracy"), log="x", language=LANGUAGE)
plain = 100 * dropout_runs[0.0].val_accuracy[:, -1].mean()
line = ax.axhline(plain, color="#666666", linewidth=1, linestyle=":")

# %% [markdown] lang="en"
# *Validation accuracy over the strength $\lambda$, mean and range of the networks. The dotted line: no decay at all.*

# %% [markdown] lang="es"
# *Exactitud de validación según la intensidad $\lambda$, media y rango de las redes. La línea de puntos: sin
# decaimiento.*

# %%
best_strength = {}
for name, way in zip(names, ("l2", "weight_decay")):
    best_strength[way] = max(strengths, key=lambda k: decay_runs[way, k].val_accuracy[:, -1].mean())
    print(f"{name}: λ = {best_strength[way]:g}, {decay_curves[name].mean(0).max():.1f} %")
decay_gain = decay_curves[names[1]].mean(0).max() - plain
norms = {k: np.linalg.norm(decay_runs["weight_decay", k].weights["kernel0"]) for k in strengths}
claim_here(
    "decay_shrinks_weights",
    norms[1.0] / norms[0.03],
    en="Decay makes the weights smaller: by a tenth or more from λ = 0.03 to 1",
    es="El decaimiento hace más pequeños los pesos: una décima parte o más entre λ = 0,03 y 1",
    at_most=0.9,
)
claim_here(
    "l2_with_adam_is_no_worse_here",
    decay_curves[names[0]].mean(0).max() - decay_curves[names[1]].mean(0).max(),
    en="At its best strength L2 with Adam is at most 2 points worse than decoupled decay",
    es="Con su mejor intensidad, L2 con Adam es como mucho 2 puntos peor que el decaimiento desacoplado",
    at_least=-2,
    unit=POINTS,
)
claim_here(
    "decay_helps_here",
    decay_gain,
    en="With these few labels decay at its best strength gains 2 points or more",
    es="Con tan pocas etiquetas, el decaimiento gana 2 puntos o más con su mejor intensidad",
    at_least=2,
    unit=POINTS,
)

# %% [markdown] lang="en"
# The best strength was chosen on the validation images, so its accuracy there flatters it. Section 12 asks images
# that had no part in the choice. Does a best strength lie at the end of the range? Then widen the range: that is
# your turn. And compare the two printed lines: that L2 with Adam spares some weights does not make it worse on every
# task.
#
# ## 8. Averaging
#
# Three things can be averaged:
#
# - the **weights of one network over its last epochs** (SWA, stochastic weight averaging):
#   $\bar w = \frac1k \sum_i w_i$, where $w_i$ are the weights after epoch $i$ and $k$ is the number of epochs;
# - the same with a **moving average** (EMA): $\bar w_i = \alpha \bar w_{i-1} + (1-\alpha) w_i$, where $\alpha$,
#   such as 0.8, says how long the past counts;
# - the **predictions of several networks**: an [ensemble](../../docs/glossary.md#ensemble).
#
# What do you think of a fourth: the weights of several networks?

# %% [markdown] lang="es"
# La mejor intensidad se eligió con las imágenes de validación, así que su exactitud con ellas la favorece. La
# sección 12 pregunta a imágenes que no intervinieron en la elección. ¿Está alguna de las mejores intensidades en el
# extremo del intervalo? Entonces amplíelo: le toca a usted. Y compare las dos líneas impresas: que L2 con Adam
# perdone a algunos pesos no la hace peor en todas las tareas.
#
# ## 8. Promediar
#
# Se pueden promediar tres cosas:
#
# - los **pesos de una red en sus últimas épocas** (SWA, *stochastic weight averaging*): $\bar w = \frac1k \sum_i w_i$,
#   donde $w_i$ son los pesos tras la época $i$ y $k$ es el número de épocas;
# - lo mismo con una **media móvil** (EMA): $\bar w_i = \alpha \bar w_{i-1} + (1-\alpha) w_i$, donde $\alpha$, por
#   ejemplo 0,8, dice cuánto tiempo cuenta el pasado;
# - las **predicciones de varias redes**: un [conjunto de modelos](../../docs/glosario.md#conjunto-de-modelos).
#
# ¿Qué le parece una cuarta: los pesos de varias redes?

# %%
run = train(optimizer="sgd", lr=0.3, networks=MANY_NETWORKS, snapshots=10)
groups = MANY_NETWORKS // 5  # of five networks
ours = predict_networks(plan, run.weights, x_val)


def in_groups(values):  # (networks, ...) to (groups, 5, ...)
    return values[: 5 * groups].reshape(groups, 5, *values.shape[1:])


averages = {
    "last" if ENGLISH else "última época": ours,
    "SWA": predict_networks(plan, average_weights(run.snapshots), x_val),
    "EMA": predict_networks(plan, average_weights(run.snapshots, decay=0.8), x_val),
    "ensemble of 5" if ENGLISH else "conjunto de 5": in_groups(ours).mean(1),
    "weights of 5" if ENGLISH else "pesos de 5": predict_networks(
        plan, {name: in_groups(value).mean(1) for name, value in run.weights.items()}, x_val
    ),
}
shares = {name: right_answers(y_val, answers).mean(1) for name, answers in averages.items()}
losses = {name: cross_entropy(y_val, answers) for name, answers in averages.items()}
for name in averages:
    print(f"{name:>14}: {shares[name].mean():6.1%}  {losses[name].mean():.3f} nats")
estimates = {name: evaluation.accuracy_estimate(list(share), len(y_val)) for name, share in shares.items()}
ax = plots.plot_estimates(estimates, language=LANGUAGE, ax=new_panels(1))

# %% [markdown] lang="en"
# *Accuracy on the validation images with 95 % intervals. “last” is a single network after its last epoch.*

# %% [markdown] lang="es"
# *Exactitud con las imágenes de validación, con intervalos del 95 %. «Última época» es una sola red tras su última
# época.*

# %%
single, swa, ema, ensemble, strangers = averages
claim(
    "ensemble_loss_never_worse",
    (in_groups(losses[single]).mean(1) - losses[ensemble]).min(),
    en="An ensemble's loss is never above the mean loss of its members: not in one of the groups",
    es="La pérdida de un conjunto nunca supera la pérdida media de sus miembros: en ninguno de los grupos",
    at_least=0,
    unit="nats",
    language=LANGUAGE,
)
claim_here(
    "averaged_strangers_fail",
    100 * (shares[ensemble].mean() - shares[strangers].mean()),
    en="Averaging the weights of networks that were trained apart is 5 points or more below their ensemble",
    es="Promediar los pesos de redes entrenadas por separado queda 5 puntos o más por debajo de su conjunto",
    at_least=5,
    unit=POINTS,
)
claim_here(
    "last_steps_are_tiny",
    run.gradient_norms[:, -5:].mean() / run.gradient_norms[:, :5].mean(),
    en="At the end the gradient is at most a fifth of what it was at the start",
    es="Al final, el gradiente es como mucho una quinta parte de lo que era al comienzo",
    at_most=0.2,
)
claim_here(
    "swa_changes_little_here",
    100 * abs(shares["SWA"].mean() - shares[single].mean()),
    en="Averaging over the last epochs changes accuracy by 2 points at most here",
    es="Promediar las últimas épocas cambia aquí la exactitud en 2 puntos como mucho",
    at_most=2,
    unit=POINTS,
)

# %% [markdown] lang="en"
# The first claim is no luck. The loss $-\log p$ curves upwards, and for such curves the value at the mean is never
# above the mean of the values (Jensen's inequality). The weights of strangers do not fit: neuron 7 of one network
# does another job than neuron 7 of the next.
#
# But why does SWA do nothing? It averages noise away, and our networks have learnt their few images by heart:
# their last steps are tiny. Here is a problem with noise, the same rate to the end: find the minimum of
# $\frac12 w^2$ when every gradient has a random error.

# %% [markdown] lang="es"
# La primera afirmación no es suerte. La pérdida $-\log p$ se curva hacia arriba, y en esas curvas el valor en la
# media nunca supera la media de los valores (desigualdad de Jensen). Los pesos de redes ajenas no encajan: la
# neurona 7 de una red no hace el mismo trabajo que la neurona 7 de la siguiente.
#
# Pero ¿por qué SWA no cambia nada? Promedia el ruido, y nuestras redes se saben de memoria sus pocas imágenes: sus
# últimos pasos son diminutos. He aquí un problema con ruido y con la misma tasa hasta el final: hallar el mínimo
# de $\frac12 w^2$ cuando cada gradiente trae un error al azar.


# %%
def noisy_bowl(seed=SEED):  # the gradient of w**2 / 2, plus noise; 400 independent problems at once
    rng = np.random.default_rng(seed)
    return lambda w: w + rng.standard_normal(len(w))


path = follow_optimizer("sgd", noisy_bowl(), np.full(400, 5.0), steps=200, lr=0.3)
last_error, mean_error = (np.mean(w**2) for w in (path[-1], path[100:].mean(0)))
claim(
    "averaging_removes_noise",
    last_error / mean_error,
    en="Where steps stay noisy, the mean of the last half of the steps has at most half of the squared error",
    es="Cuando los pasos siguen siendo ruidosos, la media de la última mitad tiene como mucho la mitad del error "
    "cuadrático",
    at_least=2,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ## 9. Optimizers: what each divides by
#
# Every [optimizer](../../docs/glossary.md#optimizer) takes the gradient $g_t$ of a weight at step $t$ and makes a
# step of it. $\eta$ is the learning rate, $\varepsilon$ a tiny number against division by zero. Squares and roots
# are taken weight by weight.
#
# | name | it remembers | step: $w_{t+1} = w_t - \dots$ |
# | --- | --- | --- |
# | SGD | nothing | $\eta\, g_t$ |
# | [Momentum](../../docs/glossary.md#momentum) | $m_t = \mu\, m_{t-1} + g_t$ | $\eta\, m_t$ |
# | [Adagrad](../../docs/glossary.md#adagrad) | $s_t = s_{t-1} + g_t^2$ | $\eta\, g_t / (\sqrt{s_t} + \varepsilon)$ |
# | [RMSProp](../../docs/glossary.md#rmsprop) | $v_t = \rho\, v_{t-1} + (1-\rho)\, g_t^2$ | $\eta\, g_t / (\sqrt{v_t} + \varepsilon)$ |
# | [Adam](../../docs/glossary.md#adam) | $m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t$, $\;v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2$ | $\eta\, \hat m_t / (\sqrt{\hat v_t} + \varepsilon)$ |
#
# - **Momentum** divides by nothing. It adds up past gradients; $\mu$ (0.9) says how much of the last sum is kept.
# - **Adagrad** divides by the root of the **sum** $s_t$ of all squared gradients so far. A sum only grows, so
#   steps only shrink.
# - **RMSProp** divides by the root of their running **mean** $v_t$; $\rho$ (0.9) says how long the past counts.
# - **Adam** takes running means of the gradient ($m_t$, with $\beta_1 = 0.9$) and of its square ($v_t$, with
#   $\beta_2 = 0.999$). Both start at 0 and are too small at first. So it corrects them:
#   $\hat m_t = m_t / (1 - \beta_1^t)$ and $\hat v_t = v_t / (1 - \beta_2^t)$. Its $\varepsilon$ stands outside of
#   the root.
#
# All memories start at 0. Suppose the gradient is 1, always. Which optimizer takes ever smaller steps? Whose first
# step is the longest?

# %% [markdown] lang="es"
# ## 9. Optimizadores: entre qué divide cada uno
#
# Cada [optimizador](../../docs/glosario.md#optimizador) toma el gradiente $g_t$ de un peso en el paso $t$ y lo
# convierte en un paso. $\eta$ es la tasa de aprendizaje y $\varepsilon$ un número diminuto que evita dividir por
# cero. Cuadrados y raíces se calculan peso a peso.
#
# | nombre | qué recuerda | paso: $w_{t+1} = w_t - \dots$ |
# | --- | --- | --- |
# | SGD | nada | $\eta\, g_t$ |
# | [Momento](../../docs/glosario.md#momento) | $m_t = \mu\, m_{t-1} + g_t$ | $\eta\, m_t$ |
# | [Adagrad](../../docs/glosario.md#adagrad) | $s_t = s_{t-1} + g_t^2$ | $\eta\, g_t / (\sqrt{s_t} + \varepsilon)$ |
# | [RMSProp](../../docs/glosario.md#rmsprop) | $v_t = \rho\, v_{t-1} + (1-\rho)\, g_t^2$ | $\eta\, g_t / (\sqrt{v_t} + \varepsilon)$ |
# | [Adam](../../docs/glosario.md#adam) | $m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t$, $\;v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2$ | $\eta\, \hat m_t / (\sqrt{\hat v_t} + \varepsilon)$ |
#
# - El **momento** no divide entre nada. Acumula los gradientes pasados; $\mu$ (0,9) dice cuánto se conserva de la
#   última suma.
# - **Adagrad** divide entre la raíz de la **suma** $s_t$ de todos los gradientes al cuadrado hasta ahora. Una suma
#   solo crece, así que los pasos solo encogen.
# - **RMSProp** divide entre la raíz de su **media** móvil $v_t$; $\rho$ (0,9) dice cuánto tiempo cuenta el pasado.
# - **Adam** lleva medias móviles del gradiente ($m_t$, con $\beta_1 = 0{,}9$) y de su cuadrado ($v_t$, con
#   $\beta_2 = 0{,}999$). Las dos empiezan en 0 y al principio se quedan cortas. Por eso las corrige:
#   $\hat m_t = m_t / (1 - \beta_1^t)$ y $\hat v_t = v_t / (1 - \beta_2^t)$. Su $\varepsilon$ está fuera de la raíz.
#
# Todas las memorias empiezan en 0. Suponga que el gradiente es siempre 1. ¿Qué optimizador da pasos cada vez más
# pequeños? ¿De quién es el primer paso más largo?

# %%
OPTIMIZERS = {"sgd": "SGD", "momentum": "Momentum" if ENGLISH else "Momento", "adagrad": "Adagrad",
              "rmsprop": "RMSProp", "adam": "Adam"}  # fmt: skip
step_lengths, rescaled = {}, {}
for name, title in OPTIMIZERS.items():
    one, thousand = (
        follow_optimizer(name, lambda w: np.full_like(w, size), np.zeros(1), steps=100, lr=0.01)[:, 0]
        for size in (1, 1000)
    )
    step_lengths[title] = -np.diff(one) / 0.01
    rescaled[title] = thousand[1] / one[1]
ax = plot_curves(np.arange(1, 101), step_lengths, ("step", "step length"), log="xy", language=LANGUAGE)

# %% [markdown] lang="en"
# *Length of each step, divided by the learning rate, when the gradient is 1 at every step; {Framework}'s own
# optimizers. Both scales are logarithmic. SGD and Adam lie on one another.*

# %% [markdown] lang="es"
# *Longitud de cada paso, dividida por la tasa de aprendizaje, cuando el gradiente es 1 en todos los pasos; son los
# optimizadores del propio {Framework}. Las dos escalas son logarítmicas. SGD y Adam se superponen.*

# %%
claim(
    "adagrad_slows_by_the_root",
    step_lengths["Adagrad"][99] / step_lengths["Adagrad"][0],
    en="Adagrad's hundredth step is a tenth of its first: it divides by the root of a sum",
    es="El centésimo paso de Adagrad es una décima parte del primero: divide entre la raíz de una suma",
    at_least=0.098,
    at_most=0.102,
    language=LANGUAGE,
)
claim(
    "rmsprop_starts_long",
    step_lengths["RMSProp"][0],
    en="RMSProp's first step is √10 ≈ 3.16 times as long as its later ones, since its mean starts at 0",
    es="El primer paso de RMSProp es √10 ≈ 3,16 veces más largo que los posteriores, porque su media empieza en 0",
    at_least=3.1,
    at_most=3.2,
    language=LANGUAGE,
)
claim(
    "adam_first_step_is_the_rate",
    step_lengths["Adam"][0],
    en="Adam's first step is as long as the learning rate: that is what the correction is for",
    es="El primer paso de Adam mide lo mismo que la tasa de aprendizaje: para eso está la corrección",
    at_least=0.99,
    at_most=1.01,
    language=LANGUAGE,
)
claim(
    "dividing_forgets_the_scale",
    max(abs(rescaled[OPTIMIZERS[name]] - 1) for name in ("adagrad", "rmsprop", "adam")),
    en="Gradients a thousand times as large give the same first step with Adagrad, RMSProp and Adam",
    es="Unos gradientes mil veces mayores dan el mismo primer paso con Adagrad, RMSProp y Adam",
    at_most=0.01,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ### Are these the real formulas?
#
# We write them down in numpy, and let them and {Framework} go down the same valley. It is a bowl that is a hundred
# times steeper one way than the other: $L(w) = \frac12 (w_1^2 + 100\, w_2^2)$.

# %% [markdown] lang="es"
# ### ¿Son estas las fórmulas de verdad?
#
# Las escribimos en numpy y dejamos que ellas y {Framework} bajen por el mismo valle. Es un cuenco cien veces más
# empinado en una dirección que en la otra: $L(w) = \frac12 (w_1^2 + 100\, w_2^2)$.


# %%
def by_formula(name, gradient, w, steps, lr, epsilon=1e-7):
    m, v, path = np.zeros_like(w), np.zeros_like(w), [w]
    for t in range(1, steps + 1):
        g, b = gradient(w), 0.999
        v = {"adagrad": v + g**2, "rmsprop": 0.9 * v + 0.1 * g**2, "adam": b * v + (1 - b) * g**2}.get(name, v)
        m = 0.9 * m + (0.1 if name == "adam" else 1) * g
        step = {
            "sgd": g,
            "momentum": m,
            "adagrad": g / (np.sqrt(v) + epsilon),
            "rmsprop": g / (np.sqrt(v) + epsilon),
            "adam": m / (1 - 0.9**t) / (np.sqrt(v / (1 - b**t)) + epsilon),
        }[name]
        w = w - lr * step
        path.append(w)
    return np.stack(path)


# %%
def valley(w):
    return 0.5 * (w[..., 0] ** 2 + 100 * w[..., 1] ** 2)


start = np.array([-1.0, 0.7])
lr_of = {"sgd": 0.018, "momentum": 0.01, "adagrad": 0.3, "rmsprop": 0.03, "adam": 0.1}
paths, errors = {}, {}
for name, lr in lr_of.items():
    own = follow_optimizer(name, lambda w: w * [1, 100], start, steps=60, lr=lr)
    paths[OPTIMIZERS[name]] = own
    errors[name] = np.abs(own - by_formula(name, lambda w: w * [1, 100], start, 60, lr)).max()
print({name: f"{error:.1e}" for name, error in errors.items()})
axes = plot_paths(paths, valley, language=LANGUAGE)
claim(
    "formulas_equal_framework",
    max(errors.values()),
    en="Each formula gives the framework's own path, to a ten-thousandth",
    es="Cada fórmula da el mismo camino que el marco, con un margen de una diezmilésima",
    at_most=1e-4,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# *Sixty steps down a narrow valley. SGD jumps from side to side and creeps along. Momentum swings, but gets on.
# Those that divide treat both directions alike: their paths hardly notice that one is a hundred times as steep.*
#
# How many steps does each need until the loss is a thousandth of the first, with the best rates for such a bowl?
# For SGD that is $\eta = 2/(1+100)$. For momentum it is $\eta = 4/(1+\sqrt{100})^2$ with
# $\mu = (9/11)^2 \approx 0.67$; we keep $\mu = 0.9$ and a rate of 0.01.

# %% [markdown] lang="es"
# *Sesenta pasos por un valle estrecho. SGD salta de un lado a otro y avanza a rastras. El momento se balancea,
# pero avanza. Los que dividen tratan igual las dos direcciones: sus caminos apenas notan que una es cien veces más
# empinada.*
#
# ¿Cuántos pasos necesita cada uno hasta que la pérdida sea una milésima de la inicial, con las mejores tasas para
# un cuenco así? Para SGD es $\eta = 2/(1+100)$. Para el momento es $\eta = 4/(1+\sqrt{100})^2$ con
# $\mu = (9/11)^2 \approx 0{,}67$; nosotros dejamos $\mu = 0{,}9$ y una tasa de 0,01.

# %%
needed = {}
for name, lr in (("sgd", 2 / 101), ("momentum", 0.01)):
    height = valley(follow_optimizer(name, lambda w: w * [1, 100], np.array([-1.0, 0.1]), steps=500, lr=lr))
    needed[name] = int(np.flatnonzero(height > height[0] / 1000)[-1]) + 1  # after which it stays below
print(needed)
claim(
    "momentum_is_faster_in_a_valley",
    needed["sgd"] / needed["momentum"],
    en="In the valley momentum needs less than half of SGD's steps",
    es="En el valle, el momento necesita menos de la mitad de los pasos de SGD",
    at_least=2,
    language=LANGUAGE,
)

# %% [markdown] lang="en" framework="pytorch"
# PyTorch's own constants are not all those of the table. Its optimizers say them themselves. RMSProp's $\rho$ is
# called `alpha`; `weight_decay` is an L2 penalty in all of them but AdamW.

# %% [markdown] lang="en" framework="tensorflow"
# Keras's own constants are not all those of the table. Its optimizers say them themselves. Adagrad's sum does not
# start at 0 (`initial_accumulator_value`), and Keras adds the $\varepsilon$ of Adagrad and RMSProp under the root;
# `weight_decay` is decoupled in all of them.

# %% [markdown] lang="es" framework="pytorch"
# Las constantes propias de PyTorch no son todas las de la tabla. Sus optimizadores las dicen ellos mismos. La
# $\rho$ de RMSProp se llama `alpha`; `weight_decay` es una penalización L2 en todos menos en AdamW.

# %% [markdown] lang="es" framework="tensorflow"
# Las constantes propias de Keras no son todas las de la tabla. Sus optimizadores las dicen ellos mismos. La suma
# de Adagrad no empieza en 0 (`initial_accumulator_value`), y Keras suma la $\varepsilon$ de Adagrad y RMSProp
# dentro de la raíz; `weight_decay` es desacoplado en todos.

# %% framework="pytorch" tags=["nbval-check-output"]
shown = ("lr", "momentum", "alpha", "betas", "eps", "initial_accumulator_value", "weight_decay")
for optimizer in ("SGD", "Adagrad", "RMSprop", "Adam", "AdamW"):
    defaults = getattr(torch.optim, optimizer)([torch.zeros(1)]).defaults
    print(f"{optimizer:8}", {key: defaults[key] for key in shown if key in defaults})

# %% framework="tensorflow" tags=["nbval-check-output"]
shown = ("learning_rate", "momentum", "rho", "beta_1", "beta_2", "epsilon", "initial_accumulator_value", "weight_decay")
for optimizer in ("SGD", "Adagrad", "RMSprop", "Adam", "AdamW"):
    defaults = getattr(keras.optimizers, optimizer)().get_config()
    print(f"{optimizer:8}", {key: round(defaults[key], 7) for key in shown if defaults.get(key) is not None})

# %% [markdown] lang="en"
# ### Which one is best?
#
# An unfair comparison gives each optimizer the same rate. A fair one gives each its own best. What do you expect then?

# %% [markdown] lang="es"
# ### ¿Cuál es el mejor?
#
# Una comparación injusta da a todos los optimizadores la misma tasa. Una justa da a cada uno la mejor para él.
# ¿Qué espera entonces?

# %%
grid = {"sgd": -2, "momentum": -2.5, "adagrad": -2.5, "rmsprop": -3.5, "adam": -3.5}  # powers of ten of the lowest rate
ax, tuned = None, {}
for k, (name, lowest) in enumerate(grid.items()):
    tried = 10.0 ** (lowest + np.arange(4) / 2)
    runs = [train(optimizer=name, lr=lr, networks=NETWORKS // 2) for lr in tried]
    tuned[name] = min(runs, key=lambda run: run.val_loss[:, -1].mean())
    means = [100 * run.val_accuracy[:, -1].mean() for run in runs]
    ax = new_panels(1) if ax is None else ax
    ax.plot(tried, means, plots.LINES[k], color=plots.COLOURS[k], marker=plots.MARKERS[k], label=OPTIMIZERS[name])
labels = (
    ("Learning rate", "Validation accuracy (%)") if ENGLISH else ("Tasa de aprendizaje", "Exactitud de validación (%)")
)
ax.set(xscale="log", xlabel=labels[0], ylabel=labels[1])
plots.tidy(ax)
legend = ax.figure.legend(loc="outside lower center", ncols=5, frameon=False)

# %% [markdown] lang="en"
# *Validation accuracy over the learning rate, mean of the networks. The peaks are about equally high; they stand
# at different rates.*

# %% [markdown] lang="es"
# *Exactitud de validación según la tasa de aprendizaje, media de las redes. Las cimas son casi igual de altas,
# pero están en tasas distintas.*

# %%
reached = {name: 100 * run.val_accuracy[:, -1].mean() for name, run in tuned.items()}
print({OPTIMIZERS[name]: f"{value:.1f} %" for name, value in reached.items()})
claim_here(
    "tuned_optimizers_are_close",
    max(reached.values()) - min(reached.values()),
    en="With the rate of lowest validation loss for each, the five optimizers lie within 5 points",
    es="Con la tasa de menor pérdida de validación para cada uno, los cinco optimizadores están en un margen de 5 puntos",
    at_most=5,
    unit=POINTS,
)

# %%
claim_here(
    "decay_matters_more_than_the_optimizer",
    decay_gain - (max(reached.values()) - min(reached.values())),
    en="Weight decay gained more than the distance between the best and the worst of the tuned optimizers",
    es="El decaimiento de pesos ganó más que la distancia entre el mejor y el peor de los optimizadores ajustados",
    at_least=0,
    unit=POINTS,
)

# %% [markdown] lang="en"
# **Your turn.** The gradient of a weight is 4 at every step, the learning rate 0.1. How long is Adagrad's 25th step?

# %% [markdown] lang="es"
# **Le toca a usted.** El gradiente de un peso es 4 en todos los pasos y la tasa de aprendizaje, 0,1. ¿Cuánto mide
# el paso 25 de Adagrad?

# %%
my_answer = None
HINT = (
    "After 25 steps the sum of the squares is 25 · 4². Divide by its root."
    if ENGLISH
    else "Tras 25 pasos la suma de los cuadrados es 25 · 4². Divida por su raíz."
)
done = check_number(my_answer, 0.02, hint=HINT, language=LANGUAGE)

# %% tags=["solution"]
my_answer = 0.1 * 4 / (25 * 4**2) ** 0.5
assert check_number(my_answer, 0.02, hint=HINT, language=LANGUAGE)

# %% [markdown] lang="en"
# ## 10. Gradient clipping
#
# One broken image can give a huge gradient, and one huge step can undo hours.
# [Clipping](../../docs/glossary.md#gradient-clipping) limits it, in one of two ways:
#
# - **by norm**: if the gradient is longer than $c$, it is shortened to length $c$:
#   $g \to g \cdot \min(1, c / \lVert g \rVert)$;
# - **by value**: each entry is cut to the range from $-c$ to $c$.
#
# Here $g$ is the whole gradient, $\lVert g \rVert$ its length (the root of the sum of its squared entries), and
# $c$ the limit. Which of the two keeps the direction?

# %% [markdown] lang="es"
# ## 10. Recorte del gradiente
#
# Una sola imagen estropeada puede dar un gradiente enorme, y un solo paso enorme puede deshacer horas de trabajo. El
# [recorte](../../docs/glosario.md#recorte-del-gradiente) lo limita, de una de estas dos maneras:
#
# - **por norma**: si el gradiente mide más que $c$, se acorta hasta medir $c$:
#   $g \to g \cdot \min(1, c / \lVert g \rVert)$;
# - **por valor**: cada componente se recorta al intervalo de $-c$ a $c$.
#
# Aquí $g$ es el gradiente entero, $\lVert g \rVert$ su longitud (la raíz de la suma de sus componentes al
# cuadrado) y $c$ el límite. ¿Cuál de las dos conserva la dirección?

# %% framework="pytorch"
gradient = np.array([0.6, 3.0], np.float32)
weight = torch.zeros(2)
weight.grad = torch.tensor(gradient)
torch.nn.utils.clip_grad_norm_([weight], max_norm=1.0)
by_norm = weight.grad.numpy()
weight.grad = torch.tensor(gradient)
torch.nn.utils.clip_grad_value_([weight], clip_value=1.0)
by_value = weight.grad.numpy()

# %% framework="tensorflow"
gradient = np.array([0.6, 3.0], np.float32)
(by_norm,), _ = tf.clip_by_global_norm([tf.constant(gradient)], 1.0)  # keras.optimizers: global_clipnorm=1.0
by_value = tf.clip_by_value(gradient, -1.0, 1.0)  # keras.optimizers: clipvalue=1.0
by_norm, by_value = by_norm.numpy(), by_value.numpy()

# %%
names = ("gradient", "by norm", "by value") if ENGLISH else ("gradiente", "por norma", "por valor")
ax = plot_arrows(dict(zip(names, (gradient, by_norm, by_value))))


def turned(clipped):  # degrees between a clipped gradient and the whole one
    cosine = clipped @ gradient / np.linalg.norm(clipped) / np.linalg.norm(gradient)
    return np.degrees(np.arccos(min(1.0, float(cosine))))


claim(
    "norm_keeps_the_direction",
    turned(by_norm),
    en="Clipping by norm keeps the direction",
    es="El recorte por norma conserva la dirección",
    at_most=0.1,
    unit="°",
    language=LANGUAGE,
)
claim(
    "value_turns_the_direction",
    turned(by_value),
    en="Clipping by value turns it",
    es="El recorte por valor la gira",
    at_least=10,
    unit="°",
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# *A gradient of two entries, and what clipping at 1 makes of it. The dotted circle has radius 1.*
#
# Now two broken images: their features are a thousand times too large, as if somebody had forgotten to divide.

# %% [markdown] lang="es"
# *Un gradiente de dos componentes y lo que hace con él un recorte a 1. El círculo de puntos tiene radio 1.*
#
# Ahora, dos imágenes estropeadas: sus características son mil veces demasiado grandes, como si alguien hubiera
# olvidado dividir.

# %%
broken = x.copy()
broken[:2] *= 1000
ways = {
    "without" if ENGLISH else "sin recorte": {},
    names[1]: {"clip_norm": 1.0},
    names[2]: {"clip_value": 0.1},
}
clip_runs = {name: train(optimizer="sgd", lr=0.1, x=broken, **tricks) for name, tricks in ways.items()}
norms = {name: run.gradient_norms.mean(0)[:60] for name, run in clip_runs.items()}
axes = new_panels()
ax = plot_curves(np.arange(1, len(norms[names[1]]) + 1), norms, ("step", "gradient norm"), log="y", language=LANGUAGE,
                 ax=axes[0])  # fmt: skip
ax = plot_curves(epochs, {name: 100 * run.val_accuracy for name, run in clip_runs.items()}, ("epoch", "accuracy"),
                 language=LANGUAGE, ax=axes[1])  # fmt: skip

# %% [markdown] lang="en"
# *Left: length of the gradient before clipping, mean of the networks, in the first sixty steps. Right: validation
# accuracy, mean and range.*

# %% [markdown] lang="es"
# *Izquierda: longitud del gradiente antes del recorte, media de las redes, en los primeros sesenta pasos. Derecha:
# exactitud de validación, media y rango.*

# %%
clip_accuracy = [100 * run.val_accuracy[:, -1].mean() for run in clip_runs.values()]
claim_here(
    "clipping_survives_broken_images",
    clip_accuracy[1] - clip_accuracy[0],
    en="With two broken images, clipping by norm gains 10 points or more",
    es="Con dos imágenes estropeadas, el recorte por norma gana 10 puntos o más",
    at_least=10,
    unit=POINTS,
)

# %% [markdown] lang="en"
# ## 11. Schedules
#
# A [schedule](../../docs/glossary.md#schedule) changes the learning rate during training. Large steps first, to
# get on; small ones at the end, so that noise settles. [Warm-up](../../docs/glossary.md#warm-up) begins with small
# steps too.
#
# - **constant**: $\eta_t = \eta$
# - **step**: a tenth of it after half of the steps, a hundredth after three quarters
# - **cosine**: $\eta_t = \frac{\eta}{2}\left(1 + \cos \frac{\pi t}{T}\right)$
# - **warm-up**: for the first $T_w$ steps, times $t / T_w$
#
# Here $\eta_t$ is the rate at step $t$, $\eta$ the highest one, $T$ the number of steps, and $T_w$ that of the
# warm-up.

# %% [markdown] lang="es"
# ## 11. Programas de la tasa
#
# Un [programa](../../docs/glosario.md#programa-de-la-tasa) cambia la tasa de aprendizaje durante el entrenamiento.
# Primero pasos grandes, para avanzar; al final pequeños, para que el ruido se asiente. El
# [calentamiento](../../docs/glosario.md#calentamiento) empieza también con pasos pequeños.
#
# - **constante**: $\eta_t = \eta$
# - **escalonado**: una décima parte tras la mitad de los pasos, una centésima tras tres cuartos
# - **coseno**: $\eta_t = \frac{\eta}{2}\left(1 + \cos \frac{\pi t}{T}\right)$
# - **calentamiento**: en los primeros $T_w$ pasos, por $t / T_w$
#
# Aquí $\eta_t$ es la tasa en el paso $t$, $\eta$ la más alta, $T$ el número de pasos y $T_w$ el de pasos de
# calentamiento.

# %%
SCHEDULES = {
    "constant" if ENGLISH else "constante": ("constant", 0),
    "step" if ENGLISH else "escalonado": ("step", 0),
    "cosine" if ENGLISH else "coseno": ("cosine", 0),
    "cosine, warm-up" if ENGLISH else "coseno, calentamiento": ("cosine", 40),
}
shapes = {name: learning_rates(kind, 0.3, 200, warmup=warmup) for name, (kind, warmup) in SCHEDULES.items()}
bowls = {}
for name, shape in shapes.items():
    path = follow_optimizer("sgd", noisy_bowl(), np.full(400, 5.0), steps=200, lr=shape)
    bowls[name] = 0.5 * (path[1:] ** 2).mean(1)
axes = new_panels()
steps = np.arange(1, 201)
ax = plot_curves(steps, shapes, ("step", "rate"), language=LANGUAGE, ax=axes[0])
ax = plot_curves(steps, bowls, ("step", "loss"), log="y", legend=False, language=LANGUAGE, ax=axes[1])

# %% [markdown] lang="en"
# *Left: four schedules. Right: what they reach in the noisy bowl of section 8, mean of 400 problems. A constant
# rate stops getting better: its noise never settles.*
#
# And on our networks? Momentum with each schedule; and warm-up where it is said to matter most, in a deep network
# with Adam.

# %% [markdown] lang="es"
# *Izquierda: cuatro programas. Derecha: lo que alcanzan en el cuenco con ruido de la sección 8, media de 400
# problemas. Con una tasa constante se deja de mejorar: su ruido nunca se asienta.*
#
# ¿Y con nuestras redes? Momento con cada programa; y calentamiento donde se dice que más importa: en una red
# profunda con Adam.

# %%
total = EPOCHS * (len(x) // min(32, len(x)))
schedule_runs = {
    name: train(optimizer="momentum", lr=learning_rates(kind, 0.03, total, warmup=warmup * total // 200))
    for name, (kind, warmup) in SCHEDULES.items()
}
shares = {name: list(run.val_accuracy[:, -1]) for name, run in schedule_runs.items()}
for name, share in shares.items():
    print(f"{name:>22}: {evaluation.accuracy_estimate(share, len(y_val))}")
deep = NetworkPlan(x.shape[1], classes, hidden=(64,) * 8)
cold, warm = (
    train(deep, lr=learning_rates("constant", 1e-2, total, warmup=warmup)).val_accuracy[:, -1]
    for warmup in (0, total // 5)
)
print(f"Adam, 8: {cold.mean():.1%}; {'with warm-up' if ENGLISH else 'con calentamiento'}: {warm.mean():.1%}")

# %%
constant, stepped, cosine, _ = bowls.values()
claim(
    "falling_rates_settle_noise",
    constant[-1] / max(stepped[-1], cosine[-1]),
    en="In the noisy bowl, step and cosine end with a third of the constant rate's loss or less",
    es="En el cuenco con ruido, los programas escalonado y coseno acaban con un tercio de la pérdida de la tasa "
    "constante o menos",
    at_least=3,
    language=LANGUAGE,
)
means = [100 * np.mean(share) for share in shares.values()]
claim_here(
    "schedules_change_little_here",
    max(means) - min(means),
    en="On our small networks the schedules lie within 4 points",
    es="Con nuestras redes pequeñas, los programas están en un margen de 4 puntos",
    at_most=4,
    unit=POINTS,
)
claim_here(
    "warm_up_changes_little_here",
    100 * abs(warm.mean() - cold.mean()),
    en="Nor does warm-up change the deep network's accuracy by more than 6 points",
    es="Tampoco el calentamiento cambia la exactitud de la red profunda en más de 6 puntos",
    at_most=6,
    unit=POINTS,
)

# %% [markdown] lang="en"
# Warm-up became known with huge batches and with transformers, which may diverge without it. Our networks do
# not diverge. A cure shows no effect on the healthy.
#
# ## 12. Together, on the test images
#
# Now we look at the test images, once. Which of the tricks helped with our true problem, few labels? For
# comparison we add the linear probe of lesson 01: logistic regression on the same features.

# %% [markdown] lang="es"
# El calentamiento se hizo conocido con lotes enormes y con los *transformers*, que pueden divergir sin él. Nuestras redes no
# divergen. En un sano, una medicina no hace efecto.
#
# ## 12. Todo junto, con las imágenes de prueba
#
# Ahora miramos las imágenes de prueba, una sola vez. ¿Cuáles de los trucos han ayudado con nuestro verdadero
# problema, las pocas etiquetas? Para comparar añadimos la sonda lineal de la lección 01: regresión logística con
# las mismas características.

# %%
raw_test, y_test = extract_features(backbone, data.test.images, progress=False), data.test.labels
x_test = (raw_test - centre) / spread
decay = {"weight_decay": best_strength["weight_decay"]}
final_runs = {
    "plain" if ENGLISH else "sin trucos": dropout_runs[0.0],
    "dropout 0.5" if ENGLISH else "dropout 0,5": dropout_runs[0.5],
    "weight decay" if ENGLISH else "decaimiento": train(networks=MANY_NETWORKS, **decay),
    "both" if ENGLISH else "los dos": train(networks=MANY_NETWORKS, dropout=0.5, **decay),
}
answers = {name: predict_networks(plan, run.weights, x_test) for name, run in final_runs.items()}
both_name = list(answers)[-1]
answers["both, ensemble of 5" if ENGLISH else "los dos, conjunto de 5"] = in_groups(answers[both_name]).mean(1)
probe = evaluation.linear_probe(raw, y, raw_test)
answers["linear probe" if ENGLISH else "sonda lineal"] = probe[None]

# %%
correct = {name: right_answers(y_test, probabilities) for name, probabilities in answers.items()}
estimates = {name: evaluation.accuracy_estimate(list(c.mean(1)), len(y_test)) for name, c in correct.items()}
ax = plots.plot_estimates(estimates, language=LANGUAGE, ax=new_panels(1))
plain_name, *others = correct
differences = {}
for name in others:
    rows = len(correct[name])  # as many groups of plain networks, each with the mean of its answers
    plain_right = correct[plain_name][: MANY_NETWORKS // rows * rows].reshape(rows, -1, len(y_test)).mean(1)
    differences[name] = evaluation.paired_difference(plain_right, correct[name])
    print(f"{name:>22}: {evaluation.describe_difference(differences[name], LANGUAGE)}")

# %% [markdown] lang="en"
# *Test accuracy with 95 % intervals; the lines above compare each with the plain networks, on the same images.*
#
# Compare the line of dropout with section 5. If the two sets of images give two verdicts, its effect lies at the
# edge of what a few hundred images can show.

# %% [markdown] lang="es"
# *Exactitud en la prueba con intervalos del 95 %; las líneas de arriba comparan cada una con las redes sin trucos,
# sobre las mismas imágenes.*
#
# Compare la línea del *dropout* con la sección 5. Si los dos conjuntos de imágenes dan dos veredictos, su efecto
# está en el límite de lo que pueden mostrar unos cientos de imágenes.

# %%
claim_here(
    "decay_helps_on_test",
    100 * differences[others[1]].low,
    en="On the test images weight decay helps: the whole interval of the difference is above zero",
    es="En la prueba, el decaimiento ayuda: todo el intervalo de la diferencia es mayor que cero",
    at_least=0,
    unit=POINTS,
)
claim_here(
    "no_trick_beats_the_probe",
    100 * (estimates[others[2]].value - estimates[others[-1]].value),
    en="A single network with both tricks is at most 3 points better than the linear probe of lesson 01",
    es="Una sola red con los dos trucos supera en 3 puntos como mucho a la sonda lineal de la lección 01",
    at_most=3,
    unit=POINTS,
)

# %% [markdown] lang="en" framework="pytorch"
# ### Where it all is in PyTorch
#
# | trick | call |
# | --- | --- |
# | first weights | `torch.nn.init.xavier_normal_`, `torch.nn.init.kaiming_normal_` |
# | batch normalisation, dropout | `torch.nn.BatchNorm1d`, `torch.nn.Dropout`; `model.train()` and `model.eval()` switch them |
# | early stopping | keep `copy.deepcopy(model.state_dict())` of the best epoch; our `fit(..., patience=5)` |
# | decay | L2: `torch.optim.Adam(weight_decay=...)`; decoupled: `torch.optim.AdamW(weight_decay=...)` |
# | averaging | `torch.optim.swa_utils.AveragedModel` |
# | clipping | `torch.nn.utils.clip_grad_norm_`, `torch.nn.utils.clip_grad_value_` |
# | schedules | `torch.optim.lr_scheduler.StepLR`, `CosineAnnealingLR`, `LinearLR` (warm-up) |

# %% [markdown] lang="en" framework="tensorflow"
# ### Where it all is in Keras
#
# | trick | call |
# | --- | --- |
# | first weights | `keras.initializers.GlorotNormal`, `keras.initializers.HeNormal` |
# | batch normalisation, dropout | `keras.layers.BatchNormalization`, `keras.layers.Dropout`; `training=True` or `False` switches them |
# | early stopping | `keras.callbacks.EarlyStopping(restore_best_weights=True)`; our `fit(..., patience=5)` |
# | decay | L2: `keras.regularizers.L2(λ / 2)` for a layer; decoupled: `weight_decay=` of any optimizer |
# | averaging | `use_ema=True` of any optimizer |
# | clipping | `global_clipnorm=` (the whole gradient), `clipnorm=` (each variable by itself), `clipvalue=` of any optimizer |
# | schedules | `keras.optimizers.schedules.PiecewiseConstantDecay`, `CosineDecay` (with `warmup_steps=`) |

# %% [markdown] lang="es" framework="pytorch"
# ### Dónde está todo en PyTorch
#
# | truco | llamada |
# | --- | --- |
# | pesos iniciales | `torch.nn.init.xavier_normal_`, `torch.nn.init.kaiming_normal_` |
# | normalización por lotes, dropout | `torch.nn.BatchNorm1d`, `torch.nn.Dropout`; los conmutan `model.train()` y `model.eval()` |
# | parada temprana | guardar `copy.deepcopy(model.state_dict())` de la mejor época; nuestro `fit(..., patience=5)` |
# | decaimiento | L2: `torch.optim.Adam(weight_decay=...)`; desacoplado: `torch.optim.AdamW(weight_decay=...)` |
# | promedio | `torch.optim.swa_utils.AveragedModel` |
# | recorte | `torch.nn.utils.clip_grad_norm_`, `torch.nn.utils.clip_grad_value_` |
# | programas | `torch.optim.lr_scheduler.StepLR`, `CosineAnnealingLR`, `LinearLR` (calentamiento) |

# %% [markdown] lang="es" framework="tensorflow"
# ### Dónde está todo en Keras
#
# | truco | llamada |
# | --- | --- |
# | pesos iniciales | `keras.initializers.GlorotNormal`, `keras.initializers.HeNormal` |
# | normalización por lotes, dropout | `keras.layers.BatchNormalization`, `keras.layers.Dropout`; los conmuta `training=True` o `False` |
# | parada temprana | `keras.callbacks.EarlyStopping(restore_best_weights=True)`; nuestro `fit(..., patience=5)` |
# | decaimiento | L2: `keras.regularizers.L2(λ / 2)` para una capa; desacoplado: `weight_decay=` de cualquier optimizador |
# | promedio | `use_ema=True` de cualquier optimizador |
# | recorte | `global_clipnorm=` (todo el gradiente), `clipnorm=` (cada variable por separado), `clipvalue=` de cualquier optimizador |
# | programas | `keras.optimizers.schedules.PiecewiseConstantDecay`, `CosineDecay` (con `warmup_steps=`) |

# %% [markdown] lang="en"
# ## What was learnt
#
# - Every trick mends one defect. Without the defect it changes little: standardising inputs of like size, warm-up
#   without divergence, weight averaging without noise.
# - First weights with a spread of $\sqrt{2/n}$ keep ReLU networks alive at any depth. BatchNorm forgives other
#   starts, and has a price of its own in deep networks without shortcuts.
# - Adagrad divides by the root of a sum, RMSProp by the root of a running mean, Adam by the root of a corrected
#   running mean. Tuned, they end close together.
# - L2 and weight decay are the same for SGD and differ for Adam. With few labels decay was worth more than any
#   optimizer.
# - An effect of one point needs dozens of seeds. Three seeds may tell anything.
# - A linear probe on good features is a strong opponent. Beat it before you believe in a trick.

# %% [markdown] lang="es"
# ## Qué hemos aprendido
#
# - Cada truco remedia un defecto. Sin el defecto cambia poco: estandarizar entradas de tamaño parecido, calentar sin
#   divergencia, promediar pesos sin ruido.
# - Unos pesos iniciales con dispersión $\sqrt{2/n}$ mantienen vivas las redes con ReLU a cualquier profundidad.
#   BatchNorm perdona otros comienzos y tiene su propio precio en redes profundas sin atajos.
# - Adagrad divide entre la raíz de una suma; RMSProp, entre la raíz de una media móvil; Adam, entre la raíz de una
#   media móvil corregida. Bien ajustados, acaban cerca unos de otros.
# - L2 y decaimiento de pesos son lo mismo con SGD y difieren con Adam. Con pocas etiquetas, el decaimiento ha
#   valido más que cualquier optimizador.
# - Un efecto de un punto exige decenas de semillas. Con tres se puede contar cualquier cosa.
# - Una sonda lineal sobre buenas características es una rival fuerte. Gánele antes de creer en un truco.

# %%
show_quiz("11_training_tricks/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - Y. LeCun, L. Bottou, G. B. Orr and K.-R. Müller, "Efficient BackProp", in *Neural Networks: Tricks of the
#   Trade*, 1998: why inputs are scaled.
# - X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", *AISTATS*
#   2010.
# - K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", *ICCV* 2015.
# - S. Ioffe and C. Szegedy, "Batch normalization", *ICML* 2015; and G. Yang, J. Pennington, V. Rao, J.
#   Sohl-Dickstein and S. S. Schoenholz, "A mean field theory of batch normalization", *ICLR* 2019: why its
#   gradients grow.
# - N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov, "Dropout", *JMLR* 15, 2014.
# - L. Prechelt, "Early stopping – but when?", in *Neural Networks: Tricks of the Trade*, 1998.
# - I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", *ICLR* 2019.
# - P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov and A. G. Wilson, "Averaging weights leads to wider optima
#   and better generalization", *UAI* 2018.
# - J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods", *JMLR* 12, 2011 (Adagrad); D. P. Kingma and
#   J. Ba, "Adam", *ICLR* 2015.
# - R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural networks", *ICML* 2013:
#   clipping.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - Y. LeCun, L. Bottou, G. B. Orr y K.-R. Müller, «Efficient BackProp», en *Neural Networks: Tricks of the Trade*,
#   1998: por qué se escalan las entradas.
# - X. Glorot e Y. Bengio, «Understanding the difficulty of training deep feedforward neural networks», *AISTATS* 2010.
# - K. He, X. Zhang, S. Ren y J. Sun, «Delving deep into rectifiers», *ICCV* 2015.
# - S. Ioffe y C. Szegedy, «Batch normalization», *ICML* 2015; y G. Yang, J. Pennington, V. Rao, J. Sohl-Dickstein y
#   S. S. Schoenholz, «A mean field theory of batch normalization», *ICLR* 2019: por qué crecen sus gradientes.
# - N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever y R. Salakhutdinov, «Dropout», *JMLR* 15, 2014.
# - L. Prechelt, «Early stopping – but when?», en *Neural Networks: Tricks of the Trade*, 1998.
# - I. Loshchilov y F. Hutter, «Decoupled weight decay regularization», *ICLR* 2019.
# - P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov y A. G. Wilson, «Averaging weights leads to wider optima and
#   better generalization», *UAI* 2018.
# - J. Duchi, E. Hazan e Y. Singer, «Adaptive subgradient methods», *JMLR* 12, 2011 (Adagrad); D. P. Kingma y J.
#   Ba, «Adam», *ICLR* 2015.
# - R. Pascanu, T. Mikolov e Y. Bengio, «On the difficulty of training recurrent neural networks», *ICML* 2013: el
#   recorte.
