# %% [markdown] lang="en"
# # Common mistakes, and what they cost
#
# **{Framework}** · about 45 minutes · before this: [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# Every text on transfer learning warns of the same mistakes. Here you make the dearest of them on purpose, and those
# that nobody sees. Some ruin everything, some cost nothing that we can see, and some make a result look better than it
# is. After this lesson you can
#
# - write guards in a few lines of {Framework}: for the pixels, for what a step of training moves, for copies of pictures
#   in two parts of the data;
# - say what {Framework} does when you freeze or unfreeze in the middle of training;
# - find BatchNorm awake where it should sleep;
# - report a minority class honestly, and tell a seed from a draw of the data;
# - give the cost of a mistake as a number with an interval, or say that you cannot see it.
#
# The words [backbone](../../docs/glossary.md#backbone), [head](../../docs/glossary.md#head),
# [feature](../../docs/glossary.md#feature), [freeze](../../docs/glossary.md#freeze) and
# [fine-tuning](../../docs/glossary.md#fine-tuning) are those of lesson 01.

# %% [markdown] lang="es"
# # Errores frecuentes y lo que cuestan
#
# **{Framework}** · unos 45 minutos · antes: [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# Todos los textos sobre aprendizaje por transferencia advierten de los mismos errores. Aquí va a cometer a propósito
# los más caros y los que nadie ve. Algunos lo arruinan todo, otros no cuestan nada que podamos ver y otros hacen que el
# resultado parezca mejor de lo que es. Al terminar podrá:
#
# - escribir protecciones en pocas líneas de {Framework}: para los píxeles, para lo que mueve un paso de entrenamiento y
#   para las copias de imágenes que están en dos partes de los datos;
# - explicar qué hace {Framework} cuando se congela o descongela en mitad del entrenamiento;
# - descubrir una BatchNorm despierta donde debería dormir;
# - informar con honestidad sobre una clase minoritaria y distinguir una semilla de un sorteo de los datos;
# - dar el coste de un error como un número con su intervalo, o decir que no se ve.
#
# Las palabras [red base](../../docs/glosario.md#red-base), [cabeza](../../docs/glosario.md#cabeza),
# [característica](../../docs/glosario.md#característica), [congelar](../../docs/glosario.md#congelar) y [ajuste
# fino](../../docs/glosario.md#ajuste-fino) son las de la lección 01.

# %% tags=["parameters"]
SEED = 0
DATASET = "drawn_pets_breeds"  # or "cats_vs_dogs", "oxford_pets_breeds", a folder with one sub-folder a class
BACKBONE = "mini_resnet_narrow"  # or "mini_resnet", "efficientnet_lite0", "resnet50", ...
IMAGE_SIZE = 64  # side of the images, in pixels; what the backbone was trained at
LABELS = 20  # labelled images of each class, those that decide when to stop among them
TEST_IMAGES = 480  # at most; as many of each class
DRAWS = 3  # how often the labelled images are drawn anew
ROUNDS = 60  # at most so many rounds of training, of 20 steps each
PATIENCE = 6  # rounds without a lower validation loss, after which training stops
HEAD_RATE = 0.003  # learning rate of a new head
TUNE_RATE = 0.001  # learning rate of pretrained weights

# %%
# %matplotlib inline
import hashlib
import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial.distance import cdist
from sklearn.model_selection import train_test_split

from tlhelpers import metrics, plots
from tlhelpers.data.datasets import load_splits
from tlhelpers.quiz import show_quiz
from tlhelpers.weights import mini_resnet_file

show_quiz("05_common_mistakes/before", LANGUAGE)

# %% framework="pytorch"
import torch
from safetensors.torch import load_file
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, RandomSampler, TensorDataset
from torchvision.transforms import v2

from tlhelpers.pytorch.data import ImageDataset
from tlhelpers.pytorch.heads import freeze, replace_head
from tlhelpers.pytorch.mini_resnet import MiniResNet, MiniResNet_Weights
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.prediction import predict
from tlhelpers.pytorch.training import fit

torch.manual_seed(SEED)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print("PyTorch", torch.__version__, device)

# %% framework="tensorflow"
import keras
import tensorflow as tf
from keras import layers

from tlhelpers.tensorflow import mini_resnet
from tlhelpers.tensorflow.heads import add_head
from tlhelpers.tensorflow.networks import load_network
from tlhelpers.tensorflow.training import fit

keras.utils.set_random_seed(SEED)
print("TensorFlow", tf.__version__, "Keras", keras.__version__, tf.config.list_logical_devices()[-1].device_type)

# %% [markdown] lang="en"
# ## 1. First, do it right
#
# A cost is a difference. So we need something to compare with: a frozen backbone, its features, and on them a linear
# head.
#
# The labelled images are drawn several times, `LABELS` of each class. A fifth of each draw decides when to stop. We
# look at the test images again and again in this lesson. We may, since nothing is chosen by them: they only measure.
# (Section 6 shows what happens otherwise.)

# %% [markdown] lang="es"
# ## 1. Primero, hacerlo bien
#
# Un coste es una diferencia. Así que necesitamos algo con qué comparar: una red base congelada, sus características y,
# sobre ellas, una cabeza lineal.
#
# Las imágenes etiquetadas se sortean varias veces, `LABELS` de cada clase. Una quinta parte de cada sorteo decide
# cuándo parar. En esta lección miramos las imágenes de prueba una y otra vez. Podemos hacerlo porque no elegimos nada
# con ellas: solo miden. (La sección 6 muestra qué ocurre si no).

# %% tags=["nbval-check-output"]
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, test_fraction=0.4, progress=False)
num_classes = len(data.train.class_names)
each = min(TEST_IMAGES // num_classes, np.bincount(data.test.labels).min())
test = data.test.per_class(int(each), seed=SEED)


def draw(seed):
    """`LABELS` images of each class: x, y, and x_val, y_val, a fifth of them, to decide when to stop."""
    drawn = data.train.per_class(min(LABELS, np.bincount(data.train.labels).min()), seed=seed)
    fifth = max(num_classes, len(drawn) // 5)
    x, x_val, y, y_val = train_test_split(
        drawn.images, drawn.labels, test_size=fifth, stratify=drawn.labels, random_state=seed
    )
    return x, y, x_val, y_val


seeds = [100 * SEED + k for k in range(DRAWS)]
draws = [draw(seed) for seed in seeds]
print(num_classes, words["classes"], len(draws[0][0]), "+", len(draws[0][2]), "/", len(test))


# %% framework="pytorch"
def new_network(num_outputs):
    """The pretrained network with a new head, or without one for 0 outputs, and its preprocessing."""
    if BACKBONE == "mini_resnet_narrow":  # half as wide as mini_resnet: many trainings fit into this lesson
        network, prepare = MiniResNet(width=16), MiniResNet_Weights.DEFAULT.transforms()
        network.load_state_dict(load_file(mini_resnet_file(BACKBONE)))
    else:
        network, prepare = load_network(BACKBONE)
    replace_head(network, num_outputs)
    return network.to(device, memory_format=torch.channels_last), prepare


def new_backbone():
    return new_network(0)[0]


backbone, prepare = new_network(0)


def features_of(images, recipe=prepare, network=backbone):
    """Features of a network as in use, `(n, features)`; `recipe` prepares the pixels."""
    return predict(network, DataLoader(ImageDataset(images, np.zeros(len(images)), recipe), batch_size=64))


# %% framework="tensorflow"
def new_backbone():
    """The pretrained network without its head."""
    if BACKBONE == "mini_resnet_narrow":  # half as wide as mini_resnet: many trainings fit into this lesson
        return mini_resnet.MiniResNet(include_top=False, pooling="avg", width=16)
    return load_network(BACKBONE, IMAGE_SIZE, include_top=False, pooling="avg")[0]


if BACKBONE == "mini_resnet_narrow":
    prepare = mini_resnet.preprocess_input
else:
    _, prepare = load_network(BACKBONE, IMAGE_SIZE, include_top=False, pooling="avg")
backbone = new_backbone()


def features_of(images, recipe=prepare, network=backbone):
    """Features of a network as in use, `(n, features)`; `recipe` prepares the pixels."""
    return network.predict(recipe(images.astype("float32")), batch_size=64, verbose=0)


# %% [markdown] lang="en"
# Where only frozen features count, our head is scikit-learn's [logistic
# regression](../../docs/glossary.md#logistic-regression): a linear layer, trained until nothing changes any more. It
# knows no chance. So what differs between two heads comes from their images, not from luck in training.
#
# The **bill** collects what each mistake costs, in points of accuracy. The right and the wrong way answer the same test
# images after the same draws, so we compare draw by draw and image by image. Where the interval contains zero, the line
# says "not visible here". That is an honest answer, and no proof that the mistake is harmless.

# %% [markdown] lang="es"
# Donde solo cuentan las características congeladas, nuestra cabeza es la [regresión
# logística](../../docs/glosario.md#regresión-logística) de scikit-learn: una capa lineal, entrenada hasta que ya no
# cambia nada. En ella no interviene el azar. Así que la diferencia entre dos cabezas viene de sus imágenes, no de la
# suerte al entrenar.
#
# La **cuenta** recoge lo que cuesta cada error, en puntos de exactitud. La forma correcta y la errónea responden a las
# mismas imágenes de prueba tras los mismos sorteos, así que comparamos sorteo por sorteo e imagen por imagen. Si el
# intervalo contiene el cero, la línea dice «aquí no se ve». Es una respuesta honesta, y no demuestra que el error sea
# inofensivo.

# %%
bill = {}


def right(features, labels, *tests):
    """Of a head on these features, for each set of test features and each test image: was it right?"""
    answers = metrics.linear_probe(features, labels, np.concatenate(tests)).argmax(1)
    return np.split(answers == np.tile(test.labels, len(tests)), len(tests))


def enter(line, found):
    """Enters what a mistake costs, with its interval, into the bill, and prints it."""
    bill[line], seen = found, "" if found.low > 0 or found.high < 0 else words["unseen"]
    print(f"{line:<48}{100 * found.value:+6.1f}  ({100 * found.low:+.1f} … {100 * found.high:+.1f})  {seen}")
    return found


def cost(line, wrong, right_way):
    """How much more often the right way is right, draw by draw and image by image."""
    return enter(line, metrics.paired_difference(np.stack(wrong), np.stack(right_way)))


features, test_features = [features_of(x) for x, *_ in draws], features_of(test.images)
probed = [right(f, y, test_features)[0] for f, (_, y, *_) in zip(features, draws)]
print(words["right_way"], metrics.accuracy_estimate([run.mean() for run in probed], len(test)))

# %% [markdown] lang="en"
# ## 2. The pixels are not what the network expects
#
# The network was trained with pixels of a certain form: red first, 0 to 1, less a mean, divided by a spread. That
# [preprocessing](../../docs/glossary.md#preprocessing) belongs to its weights. Four ways to get it wrong, each of which
# runs without an error:
#
# - **raw**: 0 to 255, as they are;
# - **not normalised**: 0 to 1, but no mean and no spread;
# - **scaled twice**: the pixels were 0 to 1 already, and are divided by 255 once more;
# - **BGR**: blue first. OpenCV reads images like that.

# %% [markdown] lang="es"
# ## 2. Los píxeles no son los que la red espera
#
# La red se entrenó con píxeles de una forma determinada: primero el rojo, valores de 0 a 1, menos una media y divididos
# entre una desviación estándar. Ese [preprocesamiento](../../docs/glosario.md#preprocesamiento) pertenece a sus pesos.
# Hay cuatro maneras de equivocarse, y todas se ejecutan sin ningún error:
#
# - **sin escalar**: de 0 a 255, tal cual;
# - **sin normalizar**: de 0 a 1, pero sin restar la media ni dividir entre la desviación estándar;
# - **escalados dos veces**: los píxeles ya iban de 0 a 1, y se dividen otra vez entre 255;
# - **BGR**: primero el azul. Así lee las imágenes OpenCV.

# %% framework="pytorch"
to_unit = v2.ToDtype(torch.float32, scale=True)
normalize = v2.Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
recipes = {
    "raw": v2.ToDtype(torch.float32),
    "unit": to_unit,
    "twice": v2.Compose([to_unit, v2.Lambda(lambda x: x / 255), normalize]),
    "bgr": v2.Compose([v2.Lambda(lambda x: x.flip(0)), prepare]),
}


def prepared(images, recipe):
    """A batch as the network gets it."""
    return torch.stack([recipe(torch.from_numpy(np.array(image)).permute(2, 0, 1)) for image in images])


# %% framework="tensorflow"
recipes = {
    "raw": lambda pixels: pixels,
    "unit": lambda pixels: pixels / 255,
    "twice": lambda pixels: prepare(pixels / 255),
    "bgr": lambda pixels: prepare(pixels[..., ::-1]),
}


def prepared(images, recipe):
    """A batch as the network gets it."""
    return keras.ops.convert_to_tensor(recipe(images.astype("float32")))


# %% [markdown] lang="en"
# A question that is rarely asked: **where** is the mistake? It may be made everywhere, in training and in use. Or
# training was right, and only the program that uses the model prepares its pixels otherwise. Which is worse? Guess
# first.

# %% [markdown] lang="es"
# Una pregunta que rara vez se hace: ¿**dónde** está el error? Puede cometerse en todas partes, al entrenar y en el uso.
# O bien el entrenamiento era correcto, y solo el programa que usa el modelo prepara los píxeles de otra forma. ¿Qué es
# peor? Haga primero su apuesta.

# %%
wrong_test = {name: features_of(test.images, recipe) for name, recipe in recipes.items()}
in_use = [right(f, y, *wrong_test.values()) for f, (_, y, *_) in zip(features, draws)]
gaps = []
for k, (name, recipe) in enumerate(recipes.items()):
    everywhere = [right(features_of(x, recipe), y, wrong_test[name])[0] for x, y, *_ in draws]
    same = cost(f"{words[name]}, {words['everywhere']}", everywhere, probed)
    other = cost(f"{words[name]}, {words['in_use']}", [run[k] for run in in_use], probed)
    gaps.append(other.value - same.value)
claim("use_is_worse", 100 * np.mean(gaps))

# %% [markdown] lang="en"
# Read the lines in pairs. Where the mistake is made everywhere, the head is trained on the altered features and gets
# used to them, as far as they still hold what it needs. (Ours puts each feature on one scale first, which helps it with
# very small or large ones.) Where the mistake is made only in use, nobody gets used to anything.
#
# So "wrong normalisation ruins transfer" is half of the truth. The dangerous case is the **difference between training
# and use**: all looks well in the notebook, and the application fails.
#
# **Guards.** Keep the preprocessing inside the model or beside its weights. Keep a few reference pictures with their
# answers, and compare them wherever the model runs: that finds every difference, BGR too. And look at the numbers
# themselves:

# %% [markdown] lang="es"
# Lea las líneas por parejas. Si el error se comete en todas partes, la cabeza se entrena con las características
# alteradas y se acostumbra a ellas, mientras conserven lo que necesita. (La nuestra pone antes todas las
# características en la misma escala, y eso la ayuda cuando son muy pequeñas o muy grandes). Si el error se comete solo
# en el uso, nadie se acostumbra a nada.
#
# Así que «una normalización equivocada arruina la transferencia» es una verdad a medias. El caso peligroso es la
# **diferencia entre el entrenamiento y el uso**: en el cuaderno todo parece ir bien, y la aplicación falla.
#
# **Protecciones.** Guarde el preprocesamiento dentro del modelo o junto a sus pesos. Guarde unas cuantas imágenes de
# referencia con sus respuestas y compárelas allí donde se ejecute el modelo: eso descubre cualquier diferencia, también
# BGR. Y mire los propios números:

# %%
for name, recipe in {"prepared": prepare, **recipes}.items():
    batch = np.asarray(prepared(test.images[:16], recipe))
    print(f"{words[name]:>22}: {batch.min():7.2f} … {batch.max():7.2f}")

# %% [markdown] lang="en"
# **Your turn (1).** Write the guard. `check_batch` gets a batch just before the network does, as a tensor. It lets the
# right one pass and stops at *raw*, *not normalised* and *scaled twice*: an `assert` with a condition for each.

# %% [markdown] lang="es"
# **Le toca a usted (1).** Escriba la protección. `check_batch` recibe un lote, en forma de tensor, justo antes que la
# red. Deja pasar el correcto y se detiene con los píxeles *sin escalar*, *sin normalizar* y *escalados dos veces*: un
# `assert` con una condición para cada caso.


# %% tags=["folded"]
def check_guard(guard):
    for name, recipe in {"prepared": prepare, **recipes}.items():
        batch = prepared(test.images[:16], recipe)
        try:
            passes = guard(batch) is not False
        except (AssertionError, ValueError):
            passes = False
        if name == "prepared" and not passes:
            print("✘", words["guard_refuses"])
            return
        if name in ("raw", "unit", "twice") and passes:
            print("✘", words["guard_misses"], words[name])
            return
    print("✔", words["right"])


# %%
def check_batch(batch):
    """Stops at a batch that the network should not get."""
    # write here


check_guard(check_batch)


# %% framework="pytorch" tags=["solution"]
def check_batch(batch):
    assert batch.dtype == torch.float32
    assert -4 < batch.min() < 0 < batch.max() < 4, f"{batch.min():.2f} … {batch.max():.2f}"


check_guard(check_batch)


# %% framework="tensorflow" tags=["solution"]
def check_batch(batch):
    low, high = float(keras.ops.min(batch)), float(keras.ops.max(batch))
    assert -4 < low < 0 < high < 4, f"{low:.2f} … {high:.2f}"


check_guard(check_batch)

# %% [markdown] lang="en"
# ## 3. Does the training step know what it should train?
#
# The usual plan: freeze the backbone, train the head, then unfreeze and train on. What counts is *when* the training
# step learns of a change. The best guard compares all arrays before and after a step. It needs no theory:
# `what_moved`.
#
# A second guard stands in the same cell. A new head guesses among $K$ classes, so its first
# [loss](../../docs/glossary.md#loss) must be near $\ln K$. Far less means that the loss was divided once too often; far
# more, that something is wrong with inputs, labels or weights.

# %% [markdown] lang="es"
# ## 3. ¿Sabe el paso de entrenamiento qué debe entrenar?
#
# El plan habitual: congelar la red base, entrenar la cabeza, después descongelar y seguir entrenando. Lo que cuenta es
# *cuándo* se entera de un cambio el paso de entrenamiento. La mejor protección compara todas las matrices antes y
# después de un paso. No necesita teoría: `what_moved`.
#
# En la misma celda hay una segunda protección. Una cabeza nueva responde al azar entre $K$ clases, así que su primera
# [pérdida](../../docs/glosario.md#función-de-pérdida) debe estar cerca de $\ln K$. Una mucho menor indica que la
# pérdida se dividió una vez de más; una mucho mayor, que algo va mal en las entradas, las etiquetas o los pesos.


# %% framework="pytorch"
def what_moved(model, action):
    """Names of the arrays, weights and BatchNorm's statistics, that an action changes."""
    before = {name: value.clone() for name, value in model.state_dict().items()}  # clone: a copy, not the same memory
    action()
    return [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]


def one_step(model, optimizer):
    loss = F.cross_entropy(model(batch), batch_labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


batch = prepared(draws[0][0][:16], prepare).to(device)
batch_labels = torch.from_numpy(draws[0][1][:16]).to(device)


# %% framework="tensorflow"
def what_moved(model, action):
    """Names of the arrays, weights and BatchNorm's statistics, that an action changes."""
    before = [weight.numpy() for weight in model.weights]
    action()
    return [w.path for w, old in zip(model.weights, before) if not np.array_equal(w.numpy(), old)]


def compile_model(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(TUNE_RATE), loss, jit_compile=False)


def one_step(model):
    return model.fit(batch, batch_labels, batch_size=16, verbose=0).history["loss"][0]


batch, batch_labels = draws[0][0][:16], draws[0][1][:16]

# %% [markdown] lang="en" framework="pytorch"
# Now four situations. In PyTorch an optimizer holds a list of weights, made when it is built; a change of
# `requires_grad` does not change that list.
#
# 1. The backbone is unfrozen, and nobody tells the optimizer.
# 2. The same, with a new optimizer.
# 3. The backbone is frozen again, with that same optimizer.
# 4. `model.requires_grad = False`. It looks right and runs. But a module has no such switch: Python makes a new
#    attribute that nobody reads. The call is `model.requires_grad_(False)`, with an underscore.
#
# In which of them will the backbone move?

# %% [markdown] lang="en" framework="tensorflow"
# Now four situations. In Keras `fit` traces the training step when it is first called, that is, it records the step as
# a graph, and keeps that until `compile`.
#
# 1. The backbone is unfrozen after the first `fit`, without `compile`.
# 2. The same, with `compile`.
# 3. The backbone is frozen again, without `compile`. The summary says "not trainable".
# 4. The backbone is unfrozen after `compile`, but before the first `fit`.
#
# In which of them will the backbone move?

# %% [markdown] lang="es" framework="pytorch"
# Y ahora, cuatro situaciones. En PyTorch un optimizador guarda una lista de pesos, hecha al construirlo; cambiar
# `requires_grad` no cambia esa lista.
#
# 1. Se descongela la red base, y nadie se lo dice al optimizador.
# 2. Lo mismo, con un optimizador nuevo.
# 3. La red base se congela otra vez, con ese mismo optimizador.
# 4. `model.requires_grad = False`. Parece correcto y se ejecuta. Pero un módulo no tiene ese interruptor: Python crea
#    un atributo nuevo que nadie lee. La llamada es `model.requires_grad_(False)`, con guion bajo.
#
# ¿En cuáles cree que se moverá la red base?

# %% [markdown] lang="es" framework="tensorflow"
# Y ahora, cuatro situaciones. En Keras, `fit` traza el paso de entrenamiento la primera vez que se llama, es decir, lo
# registra como un grafo, y lo conserva hasta el siguiente `compile`.
#
# 1. La red base se descongela tras el primer `fit`, sin `compile`.
# 2. Lo mismo, con `compile`.
# 3. La red base se congela otra vez, sin `compile`. El resumen dice «no entrenable».
# 4. La red base se descongela después de `compile`, pero antes del primer `fit`.
#
# ¿En cuáles cree que se moverá la red base?

# %% framework="pytorch"
model, _ = new_network(num_classes)
model.eval()  # BatchNorm sleeps, so only the optimizer moves anything
freeze(model)
head = list(model.children())[-1].requires_grad_(True)
optimizer = optim.AdamW(head.parameters(), lr=TUNE_RATE)
first_loss, moved = one_step(model, optimizer), {}
model.requires_grad_(True)  # unfrozen, but nobody tells the optimizer
moved["unfrozen_late"] = what_moved(model, lambda: one_step(model, optimizer))
optimizer = optim.AdamW(model.parameters(), lr=TUNE_RATE)  # the mend
moved["told"] = what_moved(model, lambda: one_step(model, optimizer))
freeze(model)
head.requires_grad_(True)
moved["frozen_late"] = what_moved(model, lambda: one_step(model, optimizer))
model.requires_grad_(True)
model.requires_grad = False  # the mistake: no underscore
moved["fourth"] = what_moved(model, lambda: one_step(model, optimizer))
meant_frozen, body = moved["fourth"], sum(1 for _ in model.parameters()) - 2

# %% framework="tensorflow"
base = new_backbone()
model = add_head(base, prepare, num_classes)
base.trainable = False
compile_model(model)
first_loss, moved = one_step(model), {}
base.trainable = True  # unfrozen, but not compiled
moved["unfrozen_late"] = what_moved(model, lambda: one_step(model))
compile_model(model)  # the mend
moved["told"] = what_moved(model, lambda: one_step(model))
base.trainable = False  # frozen, but not compiled
moved["frozen_late"] = what_moved(model, lambda: one_step(model))
meant_frozen, body = moved["frozen_late"], len(base.weights)
compile_model(model)
base.trainable = True  # compiled, but no fit yet
moved["fourth"] = what_moved(model, lambda: one_step(model))

# %%
print(f"{words['first_loss']} {first_loss:.2f}, ln {num_classes} = {np.log(num_classes):.2f}")
assert 0.3 < first_loss / np.log(num_classes) < 3
for k, (name, arrays) in enumerate(moved.items(), 1):
    print(f"{k}. {words[name]:<34} {max(0, len(arrays) - 2):>3} / {body} {words['arrays_moved']}")
claim("unfrozen_late_is_lost", len(moved["unfrozen_late"]) - 2)  # without the head's two
claim("meant_to_be_frozen", 100 * (len(meant_frozen) - 2) / body)

# %% [markdown] lang="en" framework="pytorch"
# So in PyTorch freezing works at once, and unfreezing is missed: the head goes on learning, the loss goes down, and the
# report says "fine-tuned". **Mend:** build the optimizer after the last change, or add the new weights with
# `optimizer.add_param_group`. **Guard:** `what_moved`, after one step. (Freezing is safe as long as `zero_grad` sets
# gradients to `None`, its default. [Momentum](../../docs/glossary.md#momentum) and
# [weight decay](../../docs/glossary.md#weight-decay) go on moving a weight
# whose gradient is merely zero. Keras errs on the other side: there, freezing comes too late as well.)

# %% [markdown] lang="en" framework="tensorflow"
# So "compile after each change" holds once `fit` has been called, and both ways: what is unfrozen does not learn, and
# what is frozen goes on learning, while `trainable` says `False`. Keras says nothing. **Mend:** compile after each
# change. **Guard:** `what_moved`, after one step. (PyTorch errs on one side only: there, freezing works at once, and
# unfreezing is missed.)

# %% [markdown] lang="es" framework="pytorch"
# Así que en PyTorch congelar tiene efecto de inmediato, y descongelar pasa inadvertido: la cabeza sigue aprendiendo, la
# pérdida baja y el informe dice «ajuste fino». **Remedio:** cree el optimizador después del último cambio, o añada los
# pesos nuevos con `optimizer.add_param_group`. **Protección:** `what_moved`, tras un paso. (Congelar es seguro mientras
# `zero_grad` ponga los gradientes a `None`, como hace por defecto. El
# [momentum](../../docs/glosario.md#momentum) y el
# [decaimiento de pesos](../../docs/glosario.md#decaimiento-de-pesos) siguen moviendo un peso cuyo gradiente solo es
# cero. Keras falla también por el otro lado: allí congelar llega tarde).

# %% [markdown] lang="es" framework="tensorflow"
# Así que «compile tras cada cambio» vale una vez que se ha llamado a `fit`, y en los dos sentidos: lo que se descongela
# no aprende, y lo que se congela sigue aprendiendo mientras `trainable` dice `False`. Keras no avisa. **Remedio:**
# compile después de cada cambio. **Protección:** `what_moved`, tras un paso. (PyTorch falla por un solo lado: allí
# congelar tiene efecto de inmediato, y lo que pasa inadvertido es descongelar).

# %% [markdown] lang="en" framework="pytorch"
# **Your turn (2).** `net` is frozen but for its head `net.fc`, and `optimizer` trains that head. From now on the last
# stage, `net.layer4`, shall learn too, at a rate of 0.0001, and the head shall go on learning. Return the optimizer to
# go on with.

# %% [markdown] lang="en" framework="tensorflow"
# **Your turn (2).** `model` holds `base`, which is frozen, and a head; it is compiled, and has been trained. From now on
# the layers of `base` whose names begin with `layer4` shall learn too, all other layers of it stay frozen. The rate
# shall be 0.0001.

# %% [markdown] lang="es" framework="pytorch"
# **Le toca a usted (2).** `net` está congelada salvo su cabeza `net.fc`, y `optimizer` entrena esa cabeza. Desde ahora
# también debe aprender la última etapa, `net.layer4`, con una tasa de 0.0001, y la cabeza debe seguir aprendiendo.
# Devuelva el optimizador con el que continuar.

# %% [markdown] lang="es" framework="tensorflow"
# **Le toca a usted (2).** `model` contiene `base`, que está congelada, y una cabeza; está compilado y ya se ha
# entrenado. Desde ahora deben aprender también las capas de `base` cuyo nombre empieza por `layer4`; las demás siguen
# congeladas. La tasa debe ser 0.0001.


# %% framework="pytorch" tags=["folded"]
def check_unfreeze(unfreeze_last):
    net = MiniResNet(num_classes=5, width=16).eval()
    freeze(net)
    net.fc.requires_grad_(True)
    optimizer = optim.AdamW(net.fc.parameters(), lr=0.001)
    optimizer = unfreeze_last(net, optimizer) or optimizer
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    wanted = [p for p in net.layer4.parameters() if p.ndim > 1]  # its BatchNorm may learn or not
    mine = {id(p) for part in (net.layer4, net.fc) for p in part.parameters()}
    if not all(p.requires_grad for p in wanted):
        print("✘", words["still_frozen"])
    elif any(p.requires_grad for p in net.parameters() if id(p) not in mine):
        print("✘", words["too_much"])
    elif any(id(p) not in rates for p in wanted):
        print("✘", words["not_told"])
    elif any(id(p) not in rates for p in net.fc.parameters()) or not net.fc.weight.requires_grad:
        print("✘", words["head_forgotten"])
    elif any(abs(rates[id(p)] - 0.0001) > 1e-9 for p in wanted):
        print("✘", words["wrong_rate"], rates[id(wanted[0])])
    else:
        print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_unfreeze(unfreeze_last):
    base = mini_resnet.MiniResNet(include_top=False, pooling="avg", width=16, weights=None, input_shape=(32, 32, 3))
    model, x, y = add_head(base, mini_resnet.preprocess_input, 5), np.ones((4, 32, 32, 3)), np.arange(4)
    base.trainable = False
    compile_model(model)
    model.fit(x, y, verbose=0)
    unfreeze_last(model, base)
    if not base.get_layer("layer4.0.conv1").trainable_weights:
        print("✘", words["still_frozen"])
        return
    before, inside = {w.path: w.numpy() for w in model.weights}, {w.path for w in base.weights}
    model.fit(x, y, verbose=0)
    moved = {w.path for w in model.weights if not np.array_equal(w.numpy(), before[w.path])}
    if any("layer4" not in path for path in moved & inside):
        print("✘", words["too_much"])
    elif not any("layer4" in path and "kernel" in path for path in moved):
        print("✘", words["not_told"])
    elif not moved - inside:
        print("✘", words["head_forgotten"])
    elif abs(float(model.optimizer.learning_rate) - 0.0001) > 1e-9:
        print("✘", words["wrong_rate"], f"{float(model.optimizer.learning_rate):g}")
    else:
        print("✔", words["right"])


# %% framework="pytorch"
def unfreeze_last(net, optimizer):
    """From now on `net.layer4` learns too; returns the optimizer to go on with."""
    # write here


check_unfreeze(unfreeze_last)


# %% framework="tensorflow"
def unfreeze_last(model, base):
    """From now on the layers `layer4...` of the base learn too."""
    # write here


check_unfreeze(unfreeze_last)


# %% framework="pytorch" tags=["solution"]
def unfreeze_last(net, optimizer):
    net.layer4.requires_grad_(True)
    optimizer.add_param_group({"params": net.layer4.parameters(), "lr": 0.0001})
    return optimizer


check_unfreeze(unfreeze_last)


# %% framework="tensorflow" tags=["solution"]
def unfreeze_last(model, base):
    base.trainable = True
    for layer in base.layers:
        layer.trainable = layer.name.startswith("layer4")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(0.0001), loss, jit_compile=False)


check_unfreeze(unfreeze_last)

# %% [markdown] lang="en"
# ## 4. What do they cost? Three ways to fine-tune wrongly
#
# Every way gets the same labelled images, stops by the same rule, and is repeated for each draw.
#
# - **right**: the head is trained on frozen features, then all of the network at `TUNE_RATE`, with BatchNorm asleep.
# - **the optimizer does not know**: section 3, situation 1. Only the head learns. So it ends where the frozen network
#   ends.
# - **learning rate × 100**: as the right way, with two zeros too few.
# - **not frozen**: a new head, trained at `HEAD_RATE` on a backbone that was *meant* to be frozen. All of it learns,
#   BatchNorm too. To be compared with the frozen network, trained at the same rate.
#
# The last mistake has a second victim. Suppose that **another head**, trained last week, uses the features of the same
# backbone. What becomes of it?

# %% [markdown] lang="es"
# ## 4. ¿Cuánto cuestan? Tres maneras de hacer mal el ajuste fino
#
# Todas reciben las mismas imágenes etiquetadas, paran según la misma regla y se repiten con cada sorteo.
#
# - **correcta**: la cabeza se entrena con características congeladas y, después, toda la red con `TUNE_RATE` y con
#   BatchNorm dormida.
# - **el optimizador no se entera**: la situación 1 de la sección 3. Solo aprende la cabeza. Así que acaba donde acaba
#   la red congelada.
# - **tasa de aprendizaje × 100**: como la correcta, con dos ceros de menos.
# - **sin congelar**: una cabeza nueva, entrenada con `HEAD_RATE` sobre una red base que se *quería* congelar. Aprende
#   todo, también BatchNorm. Se compara con la red congelada, entrenada con la misma tasa.
#
# El último error tiene una segunda víctima. Suponga que **otra cabeza**, entrenada la semana pasada, usa las
# características de esa misma red base. ¿Qué será de ella?


# %% framework="pytorch"
def tensors_of(x):
    return torch.from_numpy(x) if x.ndim == 2 else prepared(x, prepare)  # features, or pictures


def train(model, rate, x, y, x_val, y_val, seed):
    """Trains what is not frozen, until the validation loss stops falling, as in lesson 01."""
    torch.manual_seed(seed)
    data, val = (TensorDataset(tensors_of(a), torch.from_numpy(b)) for a, b in ((x, y), (x_val, y_val)))
    rounds = DataLoader(data, 16, sampler=RandomSampler(data, num_samples=320))  # 20 steps each
    optimizer = optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate)
    return fit(model, optimizer, rounds, DataLoader(val, 64), patience=PATIENCE, epochs=ROUNDS)


def hits(model, x):
    """For each test image: does the model answer right? `x` are the pictures, or their features."""
    batches = DataLoader(TensorDataset(tensors_of(x), torch.zeros(len(x))), 64)
    return predict(model, batches).argmax(1) == test.labels


# %% framework="tensorflow"
def train(model, rate, x, y, x_val, y_val, seed):
    """Trains what is not frozen, until the validation loss stops falling, as in lesson 01."""
    keras.utils.set_random_seed(seed)
    rounds = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(y)).repeat().batch(16).take(20)
    val = tf.data.Dataset.from_tensor_slices((x_val, y_val)).batch(64)
    return fit(model, keras.optimizers.AdamW(rate), rounds, val, patience=PATIENCE, epochs=ROUNDS)


def hits(model, x):
    """For each test image: does the model answer right? `x` are the pictures, or their features."""
    return model.predict(x, batch_size=64, verbose=0).argmax(1) == test.labels


# %% framework="pytorch"
def new_head(seed):
    torch.manual_seed(seed)
    return nn.Linear(test_features.shape[1], num_classes).to(device)


def new_model(head=None):
    """All of the network: with a new head, or with a trained one, and then with BatchNorm asleep."""
    model, _ = new_network(num_classes)
    if head is not None:
        list(model.children())[-1].load_state_dict(head.state_dict())
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                freeze(part)
    return model


def body_of(model):
    """What is left of a model without its head."""
    replace_head(model, 0)
    return model


# %% framework="tensorflow"
def new_head(seed):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input(test_features.shape[1:]), layers.Dense(num_classes)])


def new_model(head=None):
    """All of the network: with a new head, or with a trained one, and then with BatchNorm asleep."""
    base = new_backbone()
    model = add_head(base, prepare, num_classes)
    if head is not None:
        model.layers[-1].set_weights(head.layers[-1].get_weights())
        for layer in base.layers:
            layer.trainable = not isinstance(layer, layers.BatchNormalization)
    return model


def body_of(model):
    """What is left of a model without its head."""
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


# %%
val_features = [features_of(x_val) for _, _, x_val, _ in draws]
heads, curves, found = [], {}, {}
for seed, drawn, f, f_val in zip(seeds, draws, features, val_features):
    heads.append(new_head(seed))
    train(heads[-1], HEAD_RATE, f, drawn[1], f_val, drawn[3], seed)
    found.setdefault("frozen", []).append(hits(heads[-1], test_features))
    for way, head, rate in (
        ("tuned", heads[-1], TUNE_RATE),
        ("too_high", heads[-1], 100 * TUNE_RATE),
        ("not_frozen", None, HEAD_RATE),
    ):
        model = new_model(head)
        curves[way] = train(model, rate, *drawn, seed)["loss"]  # of the last draw
        found.setdefault(way, []).append(hits(model, test.images))
    old_head = hits(heads[-1], features_of(test.images, network=body_of(model)))
    found.setdefault("old_head", []).append(old_head)
for way, runs in found.items():
    print(f"{words[way]:<40}", metrics.accuracy_estimate([run.mean() for run in runs], len(test)))

# %%
cost(words["not_told_cost"], found["frozen"], found["tuned"])
too_high = cost(words["too_high"], found["too_high"], found["tuned"])
cost(words["not_frozen"], found["not_frozen"], found["frozen"])
old_head = cost(words["old_head"], found["old_head"], found["frozen"])
claim("high_rate_ruins", 100 * too_high)
claim("other_heads_pay", 100 * old_head)
ax = plots.new_axes(None, 6.0, 2.8)
for k, way in enumerate(("tuned", "too_high")):
    ax.plot(range(1, len(curves[way]) + 1), curves[way], plots.LINES[k], color=plots.COLOURS[k],
            marker=plots.MARKERS[k], markersize=4, label=words[way])  # fmt: skip
ax.axhline(np.log(num_classes), color="#666666", linewidth=1, linestyle=":", label=f"ln {num_classes}")
ax.set(xlabel=plots.word("round", LANGUAGE), ylabel=words["training_loss"], yscale="log")
plots.tidy(ax)
ax.legend(frameon=False)

# %% [markdown] lang="en"
# *Training loss of the last draw, at the right rate and at a hundred times that, on a logarithmic scale; dotted, the
# loss of guessing.* (A nat is the unit of a cross-entropy with the natural logarithm.)
#
# **Learning rate.** The symptom comes at once: the loss of the first round is far above $\ln K$, though the head was
# trained before. **Guard:** look at the first losses. Lesson 03 says how to find a rate.
#
# **Not frozen.** Textbooks say that a backbone under a new head is destroyed if it is not frozen. Look at its line: a
# number below zero means that the mistake *helped*. A likely reason: these drawings are far from the photos of the
# pretraining, so a backbone that moves has much to gain. But the fine-tuned one of the right way moves as well, and
# gained less. The two differ in the rate (here it is three times as high), in BatchNorm and in the start; which of them
# helped we did not separate. Lesson 03 asks when moving pays. One loss is certain, though, and it hits someone else:
# the features are no longer those that were stored, published, or used by the other head. **Guard:** `what_moved` after
# one step.
#
# ## 5. BatchNorm is awake
#
# [BatchNorm](../../docs/glossary.md#batch-normalisation) scales each channel by a mean and a spread. In use it takes
# **running** ones, kept from training. Awake, it takes those of **the batch**, and the running ones drift towards them.
# Lesson 01 showed that this needs no gradient. What does it cost? The mistake has several faces, and they are often
# taken for one another:
#
# 1. A head is **trained** on a backbone whose weights are frozen and whose BatchNorm is awake. In use it sleeps.
# 2. The same, but what is asked is *last week's* head, which was trained before the statistics drifted.
# 3. The model is **used** awake: on mixed batches, or on pictures sorted by class, as a folder has them.

# %% [markdown] lang="es"
# *Pérdida de entrenamiento del último sorteo, con la tasa correcta y con una cien veces mayor, en escala logarítmica;
# con puntos, la pérdida de quien responde al azar.* (El nat es la unidad de la entropía cruzada con el logaritmo
# natural).
#
# **Tasa de aprendizaje.** El síntoma aparece enseguida: la pérdida de la primera ronda está muy por encima de $\ln K$,
# aunque la cabeza ya estaba entrenada. **Protección:** mire las primeras pérdidas. La lección 03 dice cómo hallar una
# tasa.
#
# **Sin congelar.** Los libros dicen que una red base bajo una cabeza nueva queda destruida si no se congela. Mire su
# línea: un número menor que cero significa que el error *ayudó*. Una razón probable: estos dibujos están lejos de las
# fotos del preentrenamiento, así que una red que se mueve tiene mucho que ganar. Pero la del ajuste fino bien hecho
# también se mueve, y ganó menos. Las dos difieren en la tasa (aquí es tres veces mayor), en BatchNorm y en el punto de
# partida; cuál de las tres cosas ayudó, no lo hemos separado. La lección 03 pregunta cuándo conviene que se mueva. Eso
# sí, hay una pérdida segura, y la sufre otro: las características ya no son las que se guardaron, se publicaron o usaba
# la otra cabeza. **Protección:** `what_moved`, tras un paso.
#
# ## 5. BatchNorm está despierta
#
# [BatchNorm](../../docs/glosario.md#normalización-por-lotes) escala cada canal con una media y una desviación estándar.
# En el uso toma las **acumuladas**, guardadas del entrenamiento. Despierta, toma las **del lote**, y las acumuladas se
# desplazan hacia ellas. La lección 01 mostró que para eso no hace falta ningún gradiente. ¿Cuánto cuesta? El error
# tiene varias caras, que a menudo se confunden:
#
# 1. Se **entrena** una cabeza sobre una red base con los pesos congelados y con BatchNorm despierta. En el uso,
#    BatchNorm duerme.
# 2. Lo mismo, pero responde la cabeza de *la semana pasada*, entrenada antes de que se movieran las estadísticas.
# 3. El modelo se **usa** despierto: con lotes mezclados, o con las imágenes ordenadas por clase, como están en una
#    carpeta.

# %% [markdown] lang="en" framework="pytorch"
# In PyTorch the mistake is one missing line: `network.eval()` after `model.train()`.

# %% [markdown] lang="en" framework="tensorflow"
# In Keras `trainable = False` puts BatchNorm to sleep. The mistake is to leave that out in a training loop of one's own:
# the loop calls the base with `training=True`, and hands only the head's weights to the optimizer.

# %% [markdown] lang="es" framework="pytorch"
# En PyTorch el error es una línea que falta: `network.eval()` después de `model.train()`.

# %% [markdown] lang="es" framework="tensorflow"
# En Keras, `trainable = False` pone a dormir a BatchNorm. El error es olvidarlo en un bucle de entrenamiento propio: el
# bucle llama a la base con `training=True`, y solo entrega al optimizador los pesos de la cabeza.


# %% framework="pytorch"
def awake_features(network, images):
    """Features of a network in training mode, in batches of 16; its statistics move along."""
    network.train()
    with torch.no_grad():
        found = [network(batch.to(device)).cpu() for batch in prepared(images, prepare).split(16)]
    return torch.cat(found).numpy()


# %% framework="tensorflow"
@tf.function(reduce_retracing=True)  # a graph, made once for each network: quicker than layer by layer
def call_awake(network, batch):
    return network(batch, training=True)


def awake_features(network, images):
    """Features of a network in training mode, in batches of 16; its statistics move along."""
    pixels = prepared(images, prepare)
    return np.concatenate([call_awake(network, pixels[i : i + 16]).numpy() for i in range(0, len(pixels), 16)])


# %%
awake, mixed = {}, np.random.default_rng(SEED).permutation(len(test))
orders = {"awake_mixed": mixed, "awake_sorted": np.argsort(test.labels, kind="stable")}
for seed, (x, y, x_val, y_val), old_head in zip(seeds, draws, heads):
    network, rng = new_backbone(), np.random.default_rng(seed)
    passes = [rng.permutation(len(x)) for _ in range(8)]  # eight passes over the pictures, each in another order
    seen = np.concatenate([awake_features(network, x[order]) for order in passes])
    head = new_head(seed)
    train(head, HEAD_RATE, seen, y[np.concatenate(passes)], features_of(x_val, network=network), y_val, seed)
    after = features_of(test.images, network=network)  # in use BatchNorm sleeps, with the statistics as they are now
    awake.setdefault("awake_training", []).append(hits(head, after))
    awake.setdefault("awake_old_head", []).append(hits(old_head, after))
    for name, order in orders.items():
        answers = awake_features(network, test.images[order])[np.argsort(order)]
        awake.setdefault(name, []).append(hits(old_head, answers))

# %%
drifts = {name: cost(words[name], runs, found["frozen"]) for name, runs in awake.items()}
claim("awake_training_is_cheap", 100 * drifts["awake_training"])
claim("neighbours_matter", 100 * (drifts["awake_sorted"].value - drifts["awake_mixed"].value))
for name, ask in ((words["asleep"], features_of), (words["awake"], lambda images: awake_features(network, images))):
    alone, among = ask(test.images[:1])[0], ask(test.images[:16])[0]
    print(f"{words['alone_or_among']}, {name}: {np.abs(alone - among).max() / np.abs(among).max():.4f}")

# %% [markdown] lang="en"
# The first line is the mistake that is warned of, and here this test hardly sees it: the head got used to what it was
# trained on, and in use the drifted statistics are those of its own pictures. What is dear is the *difference*, again:
# a head of before on statistics of after, and a model that is used awake. There a picture's answer depends on its
# neighbours, and on a sorted folder every batch is of one kind.
#
# **Guard:** the last two lines. Ask for the answer to a picture alone, and to the same one among others. Asleep the
# difference is zero, up to rounding.
#
# ## 6. Leakage: the answers are in the training data
#
# So far accuracy was lost. Now it is **invented**: what is reported is more than the model will do. First, copies. Half
# of the test images are in the training data too, saved anew as JPEG and a little brighter, as it happens when pictures
# are collected from the web. That is [data leakage](../../docs/glossary.md#data-leakage). But copies are more labelled
# pictures, too, and those help honestly. So the last lines ask for the two halves of the test apart: what the images
# without a copy gain is honest.

# %% [markdown] lang="es"
# La primera línea es el error del que todos avisan, y aquí esta prueba apenas lo ve: la cabeza se acostumbró a aquello
# con lo que se entrenó y, en el uso, las estadísticas desplazadas son las de sus propias imágenes. Lo caro es, otra
# vez, la *diferencia*: una cabeza de antes con estadísticas de después, y un modelo que se usa despierto. Ahí la
# respuesta a una imagen depende de sus vecinas, y en una carpeta ordenada cada lote es de una sola clase.
#
# **Protección:** las dos últimas líneas. Pida la respuesta a una imagen sola y a la misma imagen entre otras. Con
# BatchNorm dormida la diferencia es cero, salvo redondeos.
#
# ## 6. Fuga de datos: las respuestas están en el entrenamiento
#
# Hasta ahora se perdía exactitud. Ahora se **inventa**: lo anunciado es más de lo que hará el modelo. Primero, las
# copias. La mitad de las imágenes de prueba están también en el entrenamiento, guardadas otra vez en JPEG y algo más
# claras, como ocurre cuando las imágenes se recogen de la web. Es una [fuga de
# datos](../../docs/glosario.md#fuga-de-datos). Pero las copias son también más imágenes etiquetadas, y esas ayudan
# legítimamente. Por eso las últimas líneas preguntan por las dos mitades de la prueba por separado: lo que ganan las
# imágenes sin copia es legítimo.


# %%
def saved_anew(images):
    """The pictures a little brighter, and through JPEG."""
    copies = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(np.clip(1.1 * image, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=75)
        copies.append(np.array(Image.open(file)))
    return np.stack(copies)


leaked = np.sort(np.random.default_rng(SEED).permutation(len(test))[: len(test) // 2])
copies = saved_anew(test.images[leaked])
copy_features = features_of(copies)
leaky = [
    right(np.concatenate([f, copy_features]), np.concatenate([y, test.labels[leaked]]), test_features)[0]
    for f, (_, y, *_) in zip(features, draws)
]
claim("copies_flatter", 100 * cost(words["copies"], probed, leaky))
for name, part in (("with_copy", leaked), ("without_copy", np.setdiff1d(np.arange(len(test)), leaked))):
    gained = metrics.paired_difference(np.stack(probed)[:, part], np.stack(leaky)[:, part])
    print(f"{words[name]}: {metrics.describe_difference(gained, LANGUAGE)}")
hashes = [{hashlib.sha256(image.tobytes()).hexdigest() for image in images} for images in (copies, test.images)]
print(words["same_hash"], len(hashes[0] & hashes[1]), "/", len(copies))

# %% [markdown] lang="en"
# A **hash** is a short number made of all bytes of a file or picture. Equal pictures have equal hashes, so a set of
# them finds exact copies at once. But ours were saved anew: not one byte pattern is the same. What is needed is a
# **fingerprint**, a number that hardly changes when the picture hardly changes. (Its name in the literature is
# [perceptual hash](../../docs/glossary.md#perceptual-hash).)
#
# **Your turn (3).** Write one, with the tools of {Framework}: turn the pictures grey, shrink each to 16 × 17 pixels by
# averaging, and note for each pixel but the first of a row whether it is brighter than its left neighbour. That gives
# 16 × 16 bits. Brightness drops out, since only comparisons count.

# %% [markdown] lang="es"
# Un **hash** es un número corto hecho con todos los bytes de un archivo o una imagen. Imágenes iguales tienen hashes
# iguales, así que un conjunto de ellos encuentra enseguida las copias exactas. Pero las nuestras se guardaron de nuevo:
# ninguna coincide byte por byte. Hace falta una **huella**, un número que apenas cambie cuando la imagen apenas cambia.
# (En la literatura se llama [hash perceptual](../../docs/glosario.md#hash-perceptual)).
#
# **Le toca a usted (3).** Escriba una, con las herramientas de {Framework}: pase las imágenes a gris, reduzca cada una
# a 16 × 17 píxeles promediando y anote, para cada píxel salvo el primero de cada fila, si es más claro que su vecino de
# la izquierda. Salen 16 × 16 bits. El brillo no influye, porque solo cuentan las comparaciones.


# %% tags=["folded"]
def check_fingerprint(fingerprint):
    some = test.images[:40]
    marks = [fingerprint(images) for images in (some, saved_anew(some))]
    if any(mark is None for mark in marks):
        print("✘", words["no_bits"])
        return
    own, copied = (np.asarray(mark) for mark in marks)
    if own.ndim != 2 or len(own) != len(some) or not np.isin(own, (0, 1)).all():
        print("✘", words["no_bits"], own.shape, own.dtype)
        return
    changed, others = (own != copied).mean(1), cdist(own, own, "hamming")[~np.eye(len(own), dtype=bool)]
    numbers = f"{100 * changed.max():.0f} %, {100 * others.min():.0f} %"
    if changed.max() > 0.15:
        print("✘", words["copies_differ"], numbers)
    elif changed.max() >= others.min():
        print("✘", words["others_alike"], numbers)
    else:
        print("✔", words["right"], numbers)


# %%
def fingerprint(images):
    """For `(n, h, w, 3)` uint8 pictures an array `(n, bits)` of True and False."""
    # write here


check_fingerprint(fingerprint)


# %% framework="pytorch" tags=["solution"]
def fingerprint(images):
    grey = torch.from_numpy(np.array(images)).float().mean(3)
    small = F.adaptive_avg_pool2d(grey[:, None], (16, 17))
    return (small[..., 1:] > small[..., :-1]).flatten(1).numpy()


check_fingerprint(fingerprint)


# %% framework="tensorflow" tags=["solution"]
def fingerprint(images):
    grey = tf.image.rgb_to_grayscale(tf.cast(images, tf.float32))
    small = tf.image.resize(grey, (16, 17), method="area")[..., 0]
    return tf.reshape(small[:, :, 1:] > small[:, :, :-1], (len(images), -1)).numpy()


check_fingerprint(fingerprint)

# %%
marks = fingerprint(test.images)
alike = cdist(fingerprint(np.concatenate([draws[0][0], copies])), marks, "hamming").min(0) < 0.15
is_leaked = np.isin(np.arange(len(test)), leaked)
print(words["found_copies"], alike[is_leaked].sum(), "/", is_leaked.sum())
print(words["false_alarms"], alike[~is_leaked].sum(), "/", (~is_leaked).sum())
claim("copies_are_found", 100 * (alike[is_leaked].mean() - alike[~is_leaked].mean()))

# %% [markdown] lang="en"
# **Guard:** both, before training: hashes for exact copies, which need no threshold, and fingerprints for the rest. The
# threshold (15 % of the bits) fits these pictures; look at the pairs nearest to it in your own. Crops and rotations
# pass unseen.
#
# ### Choosing by the test
#
# The second leak needs no copies. You try 200 variants of a head and keep the one that does best on 100 test images.
# The best of many is partly the best and partly the luckiest, and luck does not come again. So the other test images,
# which did not choose, say less. For comparison: coins that are thrown.

# %% [markdown] lang="es"
# **Protección:** las dos cosas, antes de entrenar: hashes para las copias exactas, que no necesitan umbral, y huellas
# para el resto. El umbral (el 15 % de los bits) vale para estas imágenes; mire en las suyas los pares que quedan más
# cerca de él. Los recortes y los giros pasan inadvertidos.
#
# ### Elegir con la prueba
#
# La segunda fuga no necesita copias. Usted prueba 200 variantes de una cabeza y se queda con la que más acierta en 100
# imágenes de prueba. La mejor de muchas es en parte la mejor y en parte la más afortunada, y la suerte no se repite.
# Por eso las demás imágenes de prueba, que no eligieron, dicen menos. Para comparar: monedas lanzadas al aire.

# %%
optimism = []
for seed, f, (_, y, *_) in zip(seeds, features, draws):
    rng, variants = np.random.default_rng(seed), []
    for _ in range(200):  # each sees 24 features, chosen at random; least squares is the quickest head
        columns = rng.choice(f.shape[1], 24, replace=False)
        fitted = np.linalg.lstsq(np.c_[f[:, columns], np.ones(len(f))], np.eye(num_classes)[y], rcond=None)[0]
        variants.append((np.c_[test_features[:, columns], np.ones(len(test))] @ fitted).argmax(1) == test.labels)
    variants, gaps = np.stack(variants), []
    for _ in range(20):
        choosing, rest = np.split(rng.permutation(len(test)), [min(100, len(test) // 2)])
        chosen, fresh = variants[:, choosing].mean(1), variants[:, rest].mean(1)
        gaps.append(chosen.max() - fresh[chosen.argmax()])
    optimism.append(np.mean(gaps))
enter(words["chosen_by_test"], metrics.mean_interval(optimism if DRAWS > 1 else gaps))
print(words["coins"], np.random.default_rng(SEED).binomial(100, 0.5, 200).max(), "%")

# %% [markdown] lang="en"
# That choosing by a test spends it is mathematics (Dwork et al. 2015; Blum and Hardt 2015): each choice takes some of
# its worth, the more the smaller the test. How much it costs in practice is another question. Recht et al. (2019)
# collected new test images for CIFAR-10 and ImageNet, whose old ones had been used for about ten years. The networks
# did worse on the new ones. But their order stayed nearly the same, and what one network had gained on another in the
# old test, it gained on the new one, and more. The authors conclude that the loss was **not** caused by adapting to the
# old test; the new images were slightly harder. Those tests have 10 000 and 50 000 images, though. Ours chose by 100.
# **Guard:** choose by `val`, then open `test` once.
#
# ## 7. Accuracy hides a minority class
#
# Is it this breed? For each of our classes in turn we ask that, when about one picture in sixteen is of it: a question
# whose answer is nearly always no ([class imbalance](../../docs/glossary.md#class-imbalance)). We compare a head, and
# a head that gives each picture of the minority as much more weight as it is less frequent.
#
# [**Recall**](../../docs/glossary.md#recall) is the share of the minority that is found.
# [**Precision**](../../docs/glossary.md#precision) is the share of the alarms (the answers "yes") that are right.
# Weighting raises the first. What does it do to the second?

# %% [markdown] lang="es"
# Que elegir con una prueba la desgasta es un resultado matemático (Dwork et al. 2015; Blum y Hardt 2015): cada elección
# le quita algo de su valor, tanto más cuanto más pequeña es la prueba. Otra cosa es cuánto cuesta en la práctica. Recht
# et al. (2019) reunieron imágenes de prueba nuevas para CIFAR-10 e ImageNet, cuyas pruebas llevaban unos diez años en
# uso. Las redes acertaron menos con las nuevas. Pero su orden quedó casi igual, y lo que una red aventajaba a otra en
# la prueba antigua lo aventajaba también, y con creces, en la nueva. Los autores concluyen que la pérdida **no** se
# debe a la adaptación a la prueba antigua; las imágenes nuevas eran algo más difíciles. Ahora bien, aquellas pruebas
# tienen 10 000 y 50 000 imágenes. La nuestra eligió con 100. **Protección:** elija con `val` y abra `test` una sola
# vez.
#
# ## 7. La exactitud esconde una clase minoritaria
#
# ¿Es de esta raza? Lo preguntamos para cada una de nuestras clases, cuando lo es más o menos una de cada dieciséis
# imágenes: una pregunta cuya respuesta casi siempre es no ([desequilibrio de
# clases](../../docs/glosario.md#desequilibrio-de-clases)). Comparamos una cabeza con otra que da a cada imagen de la
# clase minoritaria tanto más peso cuanto menos frecuente es.
#
# La [**sensibilidad**](../../docs/glosario.md#sensibilidad) (*recall*) es la parte de la clase minoritaria que se
# encuentra. La [**precisión**](../../docs/glosario.md#precisión) es la parte de las alarmas (las respuestas «sí») que
# aciertan. Ponderar aumenta la primera. ¿Qué le hace a la segunda?


# %%
def minority(labels, k, share=1 / 16):
    """Places of all other classes, and of so many of class `k` that they have that share; and whether it is `k`."""
    others, mine = np.flatnonzero(labels != k), np.flatnonzero(labels == k)
    rows = np.concatenate([others, mine[: max(4, round(share / (1 - share) * len(others)))]])
    return rows, labels[rows] == k


truth = np.full((len(test), num_classes), -1)  # 1 minority, 0 another class, -1 not asked
said = {way: np.zeros((len(test), num_classes, DRAWS), bool) for way in ("plain", "weighted")}
for k in range(num_classes):
    asked, truth_k = minority(test.labels, k)
    truth[asked, k] = truth_k
    for d, (f, (_, y, *_)) in enumerate(zip(features, draws)):
        rows, mine = minority(y, k)
        weights = {"plain": None, "weighted": 0.5 / np.where(mine, mine.mean(), 1 - mine.mean())}
        for way, w in weights.items():
            alarm = metrics.linear_probe(f[rows], mine.astype(int), test_features[asked], weights=w)[:, 1] > 0.5
            said[way][asked, k, d] = alarm


# %%
def recall(truth, said):
    return said[truth == 1].mean()


def precision(truth, said):
    return (np.broadcast_to(truth[..., None], said.shape)[said] == 1).mean() if said.any() else 0.0


print(f"{words['always_no']:<24}{words['accuracy']} {100 * (truth[truth >= 0] == 0).mean():.1f} %")
for way, answers in said.items():
    agree = (answers == (truth == 1)[..., None])[truth >= 0].mean()
    print(f"{words[way]:<24}{words['accuracy']} {100 * agree:.1f} %")
    for name, statistic in (("recall", recall), ("precision", precision)):
        print(f"{'':<24}{words[name]} {metrics.bootstrap_interval(statistic, truth, answers)}")
change = {
    statistic.__name__: metrics.bootstrap_interval(
        lambda t, a, b: statistic(t, b) - statistic(t, a), truth, said["plain"], said["weighted"]
    )
    for statistic in (recall, precision)
}
claim("weights_find_more", 100 * change["recall"])
claim("weights_cost_precision", 100 * change["precision"])

# %% [markdown] lang="en"
# The accuracy hardly tells these heads from an answer that never looks at the picture. Recall and precision do, and
# they show that weights are no free gift: they buy found animals with false alarms. Which is worth more, the task says,
# not the accuracy. (The numbers pool all classes and draws; the intervals come from drawing the test images anew.)
#
# In a network's own loss the same weights are `weight=` of `F.cross_entropy` in PyTorch, and `class_weight=` of `fit` in
# Keras. **Guard:** print the accuracy of the commonest answer beside your own, and recall and precision of each class.
#
# ## 8. A seed, or a draw of the data?
#
# A [seed](../../docs/glossary.md#seed) fixes what is left to chance: first weights, the order of the batches. "It was
# only the seed", people say when two runs of one program differ. But a run also rests on *which images* were labelled,
# and that is another chance. We separate the two: five seeds with the same images, and twenty draws of images for a
# head that knows no chance at all.

# %% [markdown] lang="es"
# La exactitud apenas distingue estas cabezas de una respuesta que nunca mira la imagen. La sensibilidad y la precisión
# sí, y muestran que los pesos no son un regalo: encuentran más animales y lo pagan con falsas alarmas. Qué vale más lo
# dice la tarea, no la exactitud. (Los números reúnen todas las clases y sorteos; los intervalos salen de sortear de
# nuevo las imágenes de prueba).
#
# En la pérdida de una red, los mismos pesos son `weight=` de `F.cross_entropy` en PyTorch y `class_weight=` de `fit` en
# Keras. **Protección:** ponga junto a su exactitud la de la respuesta más frecuente, y la sensibilidad y la precisión
# de cada clase.
#
# ## 8. ¿Una semilla o un sorteo de los datos?
#
# Una [semilla](../../docs/glosario.md#semilla) fija lo que se deja al azar: los primeros pesos, el orden de los lotes.
# «Solo fue la semilla», se dice cuando dos ejecuciones de un programa difieren. Pero una ejecución depende también de
# *qué imágenes* se etiquetaron, y ese es otro azar. Los separamos: cinco semillas con las mismas imágenes, y veinte
# sorteos de imágenes para una cabeza en la que no interviene ningún azar.


# %%
def seeded(seed):
    head = new_head(seed)
    train(head, HEAD_RATE, features[0], draws[0][1], val_features[0], draws[0][3], seed)
    return hits(head, test_features)


by_seed = [seeded(1000 * SEED + k) for k in range(5)]
again = seeded(1000 * SEED)
by_draw = []
for k in range(20):
    x, y, *_ = draw(1000 * (SEED + 1) + k)
    by_draw.append(right(features_of(x), y, test_features)[0].mean())
by_draw = np.array(by_draw)

# %%
print(words["same_seed"], np.sum(again != by_seed[0]))
spread = {"five_seeds": np.std([run.mean() for run in by_seed], ddof=1), "twenty_draws": np.std(by_draw, ddof=1)}
for name, value in spread.items():
    print(f"{words[name]:<44} {100 * value:.2f}")
print(f"{100 * by_draw.min():.1f} … {100 * by_draw.max():.1f} %")
enter(words["best_of_five"], metrics.mean_interval(by_draw.reshape(4, 5).max(1) - by_draw.mean()))
if spread["five_seeds"] > 0:
    claim("draws_matter_more", spread["twenty_draws"] / spread["five_seeds"])
else:
    print(words["seeds_agree"])

# %% [markdown] lang="en"
# With the same seed the run repeats itself. But a fixed seed only repeats one stroke of luck, and for a linear head it
# was the smaller one in our runs: the draws spread 3 to 5 times as far as the seeds in PyTorch, and 1.4 to 1.6 times in
# TensorFlow. Five seeds tell a spread only roughly, and the two heads are trained differently, so the second number is
# no proof. (Where whole networks train from random weights it may count for more; that we did not measure.) Whoever
# reports the best of several runs reports luck. **Guard:** fix seeds, draw the images several times, say which of the
# two your "±" means, and give the interval.
#
# ## 9. The bill

# %% [markdown] lang="es"
# Con la misma semilla, la ejecución se repite. Pero una semilla fija solo repite un golpe de suerte y, con una cabeza
# lineal, en nuestras ejecuciones fue el menor de los dos: la dispersión de los sorteos fue de 3 a 5 veces la de las
# semillas en PyTorch, y de 1.4 a 1.6 en TensorFlow. Cinco semillas dan una dispersión solo aproximada y las dos cabezas
# se entrenan de otra manera, así que el segundo número no prueba nada. (Cuando se entrenan redes enteras desde pesos al
# azar puede pesar más; eso no lo hemos medido). Quien anuncia la mejor de varias ejecuciones anuncia suerte.
# **Protección:** fije las semillas, sortee varias veces las imágenes, diga a cuál de los dos azares se refiere su «±» y
# dé el intervalo.
#
# ## 9. La cuenta

# %%
invented = [words[name] for name in ("copies", "chosen_by_test", "best_of_five")]
ax = plots.new_axes(None, 7.6, 0.9 + 0.27 * len(bill))
for place, (line, found_cost) in enumerate(bill.items()):
    value, low, high = (100 * v for v in (found_cost.value, found_cost.low, found_cost.high))
    k = int(line in invented)
    ax.errorbar(value, place, xerr=[[value - low], [high - value]], color=plots.COLOURS[k], marker=plots.MARKERS[k],
                markerfacecolor="white" if low <= 0 <= high else plots.COLOURS[k], capsize=3)  # fmt: skip
ax.axvline(0, color="#666666", linewidth=1)
ax.set_yticks(range(len(bill)), bill, fontsize=9)
ax.set(xlabel=words["points_of_accuracy"], ylim=(len(bill) - 0.5, -0.5))
ax.spines[["top", "right"]].set_visible(False)
ax.grid(axis="x", color="#DDDDDD", linewidth=0.8)

# %% [markdown] lang="en"
# *What each mistake cost, in points of accuracy, with its 95 % interval. Circles: accuracy that is lost. Squares:
# accuracy that was reported, and is not there. Hollow: the interval contains zero, so this test sees no cost. Left of
# zero the mistake helped. Among so many intervals of 95 %, one may miss by chance.*
#
# Dear are a learning rate far too high, and whatever **differs between training and use**: pixels, BatchNorm, a head
# and its backbone. The same mistake made everywhere is often half forgiven. Some famous mistakes cost nothing here that
# this test can see, or even helped. And the squares are those that no user of your model forgives: they look like
# success.
#
# All of this was measured on drawings, with a small network. Where the mistakes come from the code they are the same
# everywhere; their prices are not. A run with real photos of cats and dogs and `efficientnet_lite0` (`photos.yaml`,
# PyTorch on a graphics card: three draws of forty labels a class, 200 test images, at most eight rounds of training)
# gave other ones. BGR and missing normalisation cost nothing visible there, not even in use alone (+0.8 and +0.5
# points); presumably shape is enough to tell the two animals apart. Raw pixels and pixels scaled twice in use cost 38
# and 49 points, a learning rate × 100 cost 47, and BatchNorm awake on a sorted folder 45. Three lines changed their
# message. Made everywhere, raw pixels and pixels scaled twice were hardly forgiven: they cost 25 and 39 points. On
# average, to make a mistake in use alone cost only 6 points more than to make it everywhere, and on drawings 44. Not to
# freeze no longer helped but cost 19.8 points (interval 13.5 to 26.2); the backbone learnt at the rate of the head
# there, thirty times that of fine-tuning and for eight rounds at most. And BatchNorm awake while a head is trained cost
# 10.8 (6.4 to 15.3). Two shrank: copies flattered by 1.2 points, where little was left to gain, and weights cost 3
# points of precision. [The page of photos](../../docs/photos.md) has all claims. So run the lesson with `photos.yaml`,
# or with your own folder, before you trust a price.
#
# ## 10. A checklist, and one page to take home
#
# | before you believe a number | guard |
# | --- | --- |
# | the pixels are those of the network | an `assert` on the range; reference pictures with their answers |
# | the parts share no picture | hashes, and fingerprints |
# | a new head guesses | first loss near $\ln K$ |
# | what should learn does, and nothing else | `what_moved`, after one step |
# | BatchNorm sleeps | a picture alone and among others: the same answer |
# | chosen by `val`, tested once | `test` is opened at the end |
# | better than the commonest answer, in each class | recall and precision beside the accuracy |
# | more than luck | several draws of the images, an interval |
#
# The next cells write pictures into folders, and a script with these guards in {Framework} alone. It trains a head on
# the features of a backbone, which it takes from a file. (Lesson 01's script says how to take one of {Framework}'s
# own.) Then they save the lesson's backbone and run the script, on the images of the first draw.

# %% [markdown] lang="es"
# *Lo que ha costado cada error, en puntos de exactitud, con su intervalo del 95 %. Círculos: exactitud perdida.
# Cuadrados: exactitud anunciada que no existe. Hueco: el intervalo contiene el cero, así que esta prueba no ve ningún
# coste. Si la marca queda a la izquierda del cero, el error ayudó. Entre tantos intervalos del 95 %, alguno puede
# fallar por azar.*
#
# Caros son una tasa de aprendizaje demasiado alta y todo lo que **difiere entre el entrenamiento y el uso**: los
# píxeles, BatchNorm, una cabeza y su red base. El mismo error cometido en todas partes se perdona a menudo a medias. Algunos
# errores famosos no cuestan aquí nada que esta prueba vea, o incluso ayudaron. Y los cuadrados son los que nadie que
# use su modelo le perdonará: parecen un éxito.
#
# Todo esto se midió con dibujos y con una red pequeña. Los errores que vienen del código son los mismos en todas
# partes; sus precios, no. Una ejecución con fotos reales de gatos y perros y con `efficientnet_lite0` (`photos.yaml`,
# con PyTorch y una tarjeta gráfica: tres sorteos de cuarenta etiquetas por clase, 200 imágenes de prueba, ocho rondas
# de entrenamiento como mucho) dio otros. Allí BGR y la falta de normalización no costaron nada visible, ni siquiera
# solo en el uso (+0.8 y +0.5 puntos); probablemente baste la forma para distinguir los dos animales. Los píxeles sin
# escalar y los escalados dos veces, solo en el uso, costaron 38 y 49 puntos; una tasa de aprendizaje × 100, 47; y
# BatchNorm despierta con una carpeta ordenada, 45. Tres líneas cambiaron de mensaje. Los píxeles sin escalar y los
# escalados dos veces, en todas partes, apenas se perdonaron: costaron 25 y 39 puntos. En promedio, cometer un error
# solo en el uso costó 6 puntos más que cometerlo en todas partes; con dibujos fueron 44. No congelar ya no ayudó, sino
# que costó 19.8 puntos (intervalo de 13.5 a 26.2); allí la red base aprendió con la tasa de la cabeza, treinta veces la
# del ajuste fino, y ocho rondas como mucho. Y BatchNorm despierta al entrenar una cabeza costó 10.8 (de 6.4 a 15.3).
# Dos encogieron: las copias favorecieron en 1.2 puntos, porque quedaba poco que ganar, y los pesos costaron 3 puntos de
# precisión. [La página de las fotos](../../docs/fotos.md) recoge todas las afirmaciones. Así que ejecute la lección con
# `photos.yaml`, o con su propia carpeta, antes de fiarse de un precio.
#
# ## 10. Una lista de comprobación y una página para llevarse a casa
#
# | antes de creerse un número | protección |
# | --- | --- |
# | los píxeles son los de la red | un `assert` sobre el rango; imágenes de referencia con sus respuestas |
# | las partes no comparten ninguna imagen | hashes y huellas |
# | una cabeza nueva responde al azar | primera pérdida cerca de $\ln K$ |
# | aprende lo que debe, y nada más | `what_moved`, tras un paso |
# | BatchNorm duerme | una imagen sola y entre otras: la misma respuesta |
# | elegido con `val`, probado una vez | `test` se abre al final |
# | mejor que la respuesta más frecuente, en cada clase | sensibilidad y precisión junto a la exactitud |
# | algo más que suerte | varios sorteos de las imágenes, un intervalo |
#
# Las celdas siguientes escriben imágenes en carpetas y un programa con estas protecciones, solo con {Framework}.
# Entrena una cabeza con las características de una red base que lee de un archivo. (El programa de la lección 01 muestra
# cómo tomar una de la propia biblioteca). Después guardan la red base de la lección y ejecutan el programa con las
# imágenes del primer sorteo.

# %%
folder = Path(tempfile.mkdtemp())
for part, images, labels in (("train", *draws[0][:2]), ("test", test.images, test.labels)):
    for i, (image, label) in enumerate(zip(images, labels)):
        place = folder / part / data.train.class_names[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{i:04d}.png")

# %% framework="pytorch"
# %%writefile {folder}/guarded.py
import hashlib
import math
import sys
from pathlib import Path

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import datasets
from torchvision.transforms import v2

photos, file = Path(sys.argv[1]), sys.argv[2]  # photos/train/CLASS/*.png and photos/test/CLASS/*.png; a backbone
hashes = [{hashlib.sha256(f.read_bytes()).digest() for f in (photos / p).rglob("*.*")} for p in ("train", "test")]
assert not hashes[0] & hashes[1], "a picture is in both parts"

network = torch.export.load(file).module()  # or one of torchvision's, without its head and in eval()
normalize = v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
prepare = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), normalize])
x, y = {}, {}
for part in ("train", "test"):
    data = datasets.ImageFolder(photos / part, prepare)
    with torch.no_grad():
        alone = network(data[0][0][None])
        batches = [(network(pixels), labels) for pixels, labels in DataLoader(data, batch_size=32)]
    x[part], y[part] = (torch.cat(tensors) for tensors in zip(*batches))
    assert -4 < data[0][0].min() < 0 < data[0][0].max() < 4, "pixels are not normalised"
    assert torch.allclose(alone, x[part][:1], rtol=0.01, atol=0.01), "BatchNorm is awake"

torch.manual_seed(0)
head = nn.Linear(x["train"].shape[1], len(data.classes))
optimizer = optim.AdamW(head.parameters(), lr=0.003)
for step in range(600):
    rows = torch.randint(len(y["train"]), (16,))
    loss = F.cross_entropy(head(x["train"][rows]), y["train"][rows])
    assert step or 0.3 < loss.item() / math.log(len(data.classes)) < 3, f"first loss {loss.item():.2f}"
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
right = head(x["test"]).argmax(1) == y["test"]
recalls = [right[y["test"] == k].float().mean().item() for k in range(len(data.classes))]
print(f"accuracy {right.float().mean():.4f} commonest class {y['test'].bincount().max() / len(right):.4f}")
print(f"lowest recall {min(recalls):.4f} of {data.classes[recalls.index(min(recalls))]}")

# %% framework="tensorflow"
# %%writefile {folder}/guarded.py
import hashlib
import math
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import keras
import numpy as np
from keras import layers

photos, file = Path(sys.argv[1]), sys.argv[2]  # photos/train/CLASS/*.png and photos/test/CLASS/*.png; a backbone
hashes = [{hashlib.sha256(f.read_bytes()).digest() for f in (photos / p).rglob("*.*")} for p in ("train", "test")]
assert not hashes[0] & hashes[1], "a picture is in both parts"

network = keras.models.load_model(file)  # pixels of 0 to 255 in, features out; or one of keras.applications
network.trainable = False  # BatchNorm sleeps too
x, y = {}, {}
for part in ("train", "test"):
    data = keras.utils.image_dataset_from_directory(
        photos / part, image_size=network.input_shape[1:3], batch_size=32, shuffle=False, verbose=False
    )
    pixels = next(iter(data))[0]
    x[part], y[part] = network.predict(data, verbose=0), np.concatenate([labels for _, labels in data])
    assert 1 < np.max(pixels) <= 255, "pixels are not 0 to 255"
    assert np.allclose(network(pixels[:1], training=True), x[part][:1], rtol=0.01, atol=0.01), "BatchNorm is awake"

keras.utils.set_random_seed(0)
head = keras.Sequential([keras.Input(x["train"].shape[1:]), layers.Dense(len(data.class_names))])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
head.compile(keras.optimizers.AdamW(0.003), loss, jit_compile=False)
first = head.evaluate(x["train"], y["train"], verbose=0)
assert 0.3 < first / math.log(len(data.class_names)) < 3, f"first loss {first:.2f}"
head.fit(x["train"], y["train"], batch_size=16, epochs=math.ceil(9600 / len(y["train"])), verbose=0)  # 600 steps
right = head.predict(x["test"], verbose=0).argmax(1) == y["test"]
recalls = [right[y["test"] == k].mean() for k in range(len(data.class_names))]
print(f"accuracy {right.mean():.4f} commonest class {np.bincount(y['test']).max() / len(right):.4f}")
print(f"lowest recall {min(recalls):.4f} of {data.class_names[np.argmin(recalls)]}")


# %% framework="pytorch"
file, example = folder / "backbone.pt2", torch.rand(2, 3, IMAGE_SIZE, IMAGE_SIZE)
network = new_backbone().cpu().to(memory_format=torch.contiguous_format).eval()
torch.export.save(torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},)), file)

# %% framework="tensorflow"
file = folder / "backbone.keras"
pixels = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
keras.Model(pixels, new_backbone()(prepare(pixels))).save(file)

# %%
import subprocess
import sys

command = [sys.executable, str(folder / "guarded.py"), str(folder), str(file)]
said_by_script = subprocess.run(command, capture_output=True, text=True)
print(said_by_script.stdout or said_by_script.stderr)
from_script = float(said_by_script.stdout.split("accuracy ")[1].split()[0])
claim("script_agrees", 100 * abs(from_script - found["frozen"][0].mean()))

# %% [markdown] lang="en"
# A guard that never fires seems to be of no use. Copy a picture of the test into a class of `train` (both lie in
# `folder`), and run the last cell again: the script stops before it trains.
#
# ## What you can do now
#
# - Stop at pixels that the network should not get, at copies in two parts, at a first loss that cannot be.
# - Say after one step what moved, and mend what should have moved: a new optimizer in PyTorch, `compile` in Keras.
# - Tell the faces of BatchNorm apart, and find it awake with one picture, alone and among others.
# - Report a minority class with recall and precision, and a spread with its cause: seed, or draw of the data.
# - Give the price of a mistake with an interval, and say "not visible here" where it contains zero.
#
# The lesson used from [the toolbox](../../docs/toolbox.md) the tools of lesson 01: `load_network`, `fit`, those of
# `heads`, and in PyTorch `predict` and `ImageDataset`. It adds none: these guards are so short that you write them where
# you need them.

# %% [markdown] lang="es"
# Una protección que nunca salta parece inútil. Copie una imagen de la prueba en una clase de `train` (ambas partes
# están en `folder`) y ejecute otra vez la última celda: el programa se detiene antes de entrenar.
#
# ## Lo que ya sabe hacer
#
# - Detenerse ante píxeles que la red no debe recibir, copias en dos partes o una primera pérdida imposible.
# - Decir tras un paso qué se ha movido y remediarlo si no es lo que debía: un optimizador nuevo en PyTorch, `compile`
#   en Keras.
# - Distinguir las caras de BatchNorm, y descubrir si está despierta con una imagen, sola y entre otras.
# - Informar sobre una clase minoritaria con sensibilidad y precisión, y sobre una dispersión con su causa: la semilla o
#   el sorteo de los datos.
# - Dar el precio de un error con un intervalo, y decir «aquí no se ve» cuando contiene el cero.
#
# La lección ha usado de [la caja de herramientas](../../docs/caja_de_herramientas.md) lo construido en la 01:
# `load_network`, `fit`, las funciones de `heads` y, en PyTorch, `predict` e `ImageDataset`. No añade ninguna: estas
# protecciones son tan cortas que se escriben allí donde hacen falta.

# %%
show_quiz("05_common_mistakes/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - A. Karpathy, "A recipe for training neural networks", 2019 (blog): look at the first loss, overfit one batch.
# - S. Kaufman, S. Rosset and C. Perlich, "Leakage in data mining: formulation, detection, and avoidance", *KDD* 2011.
# - B. Barz and J. Denzler, "Do we train on test data? Purging CIFAR of near-duplicates", *Journal of Imaging* 6(6),
#   2020.
# - C. Dwork et al., "The reusable holdout: preserving validity in adaptive data analysis", *Science* 349, 2015; A. Blum
#   and M. Hardt, "The Ladder: a reliable leaderboard for machine learning competitions", *ICML* 2015: why choosing by a
#   test spends it.
# - B. Recht, R. Roelofs, L. Schmidt and V. Shankar, "Do ImageNet classifiers generalize to ImageNet?", *ICML* 2019: new
#   tests for old networks; the loss did not come from choosing by the old ones.
# - S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
#   shift", *ICML* 2015.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - A. Karpathy, «A recipe for training neural networks», 2019 (blog): mirar la primera pérdida, sobreajustar un lote.
# - S. Kaufman, S. Rosset y C. Perlich, «Leakage in data mining: formulation, detection, and avoidance», *KDD* 2011.
# - B. Barz y J. Denzler, «Do we train on test data? Purging CIFAR of near-duplicates», *Journal of Imaging* 6(6), 2020.
# - C. Dwork et al., «The reusable holdout: preserving validity in adaptive data analysis», *Science* 349, 2015; A. Blum
#   y M. Hardt, «The Ladder: a reliable leaderboard for machine learning competitions», *ICML* 2015: por qué elegir con
#   una prueba la desgasta.
# - B. Recht, R. Roelofs, L. Schmidt y V. Shankar, «Do ImageNet classifiers generalize to ImageNet?», *ICML* 2019:
#   pruebas nuevas para redes antiguas; la pérdida no venía de elegir con las antiguas.
# - S. Ioffe y C. Szegedy, «Batch normalization: accelerating deep network training by reducing internal covariate
#   shift», *ICML* 2015.
