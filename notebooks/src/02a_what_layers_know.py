# %% [markdown] lang="en"
# # What do the layers know?
#
# **{Framework}** · about 45 minutes · before this: [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# "Early layers see edges, late layers see parts. Early layers are general, late ones are specific." Every text on
# transfer learning says so. Here you test it. After this lesson you can
#
# - take filters and feature maps out of any layer, and turn them into features;
# - compute how large a piece of the picture a layer sees;
# - measure with a linear **probe** what a layer knows, and say what averaging has thrown away;
# - copy the first layers of a network, freeze them and train the rest from random weights: the experiment behind the
#   words "general" and "specific";
# - measure with **CKA** how far fine-tuning moves each layer.

# %% [markdown] lang="es"
# # ¿Qué sabe cada capa?
#
# **{Framework}** · unos 45 minutos · antes: [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# «Las primeras capas ven bordes y las últimas, partes. Las primeras son generales y las últimas, específicas». Lo dicen
# todos los libros sobre aprendizaje por transferencia. Aquí usted lo pone a prueba. Al terminar podrá:
#
# - sacar los filtros y los mapas de características de cualquier capa y convertirlos en características;
# - calcular de qué tamaño es el trozo de la imagen que ve una capa;
# - medir con una **sonda** lineal qué sabe una capa, y decir qué se ha perdido al promediar;
# - copiar las primeras capas de una red, congelarlas y entrenar el resto desde pesos al azar: el experimento del que
#   salen las palabras «general» y «específico»;
# - medir con **CKA** cuánto cambia cada capa con el ajuste fino.

# %% tags=["parameters"]
SEED = 0
DATASET = "drawn_pets_breeds"  # or "oxford_pets_breeds", "cats_vs_dogs", a folder with one sub-folder a class
BACKBONE = "mini_resnet"  # or "efficientnet_lite0"
IMAGE_SIZE = 64  # side of the images, in pixels
POOL = 760  # images of each task, at most, from which labelled ones are drawn
PROBE_LABELS = 200  # labelled images that a probe learns from, all classes together
LABELS = 10  # labelled images of each class to retrain with, those that decide when to stop among them
RETRAIN_SIZE = 48  # side of the images for that, in pixels
TEST_IMAGES = 300  # images on which retrained networks are judged, at most
SEEDS = 3  # how often each experiment is repeated, with other images and other random weights
ROUNDS = 100  # at most so many rounds of training, of 20 steps each
PATIENCE = 5  # rounds without a lower validation loss, after which training stops
RATE = 0.003  # learning rate of random weights
FINE_TUNE_RATE = 0.001  # learning rate of pretrained weights

# %%
# %matplotlib inline
import functools

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tlhelpers import metrics, plots
from tlhelpers.data.datasets import load_splits
from tlhelpers.data.images import prepare as fit_photo
from tlhelpers.numbers import percent
from tlhelpers.quiz import show_quiz

show_quiz("02a_what_layers_know/before", LANGUAGE)

# %% framework="pytorch"
import torch
from safetensors.torch import load_file
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, RandomSampler, TensorDataset
from torchvision.models.feature_extraction import create_feature_extractor

from tlhelpers.pytorch.data import ImageDataset
from tlhelpers.pytorch.heads import freeze
from tlhelpers.pytorch.mini_resnet import MiniResNet, mini_resnet
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.prediction import predict
from tlhelpers.pytorch.training import fit
from tlhelpers.weights import mini_resnet_file

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print("PyTorch", torch.__version__, device)

# %% framework="tensorflow"
import keras
import tensorflow as tf
from keras import layers

from tlhelpers.tensorflow.mini_resnet import MiniResNet
from tlhelpers.tensorflow.networks import load_network

ON_GPU = bool(tf.config.list_physical_devices("GPU"))
print("TensorFlow", tf.__version__, "Keras", keras.__version__, "GPU" if ON_GPU else "CPU")

# %% [markdown] lang="en"
# ## 1. Two tasks, one near and one far
#
# The network of this course learnt to name things in small photos. We ask it about two other
# [tasks](../../docs/glossary.md#task):
#
# - **near**: which breed is it? The pictures are drawn pets, and the network never saw a drawing; of the sixteen
#   names it knows six, from photos. It is again a question of which animal or thing the picture shows.
# - **far**: which digit is it? The digits were written by hand and scanned (they come with scikit-learn). They have no
#   colour, no texture and no background, and the network has never been taught to read.
#
# Later a third question comes in, about the pets' pictures themselves: is this one slightly **blurred**?

# %% [markdown] lang="es"
# ## 1. Dos tareas, una cercana y otra lejana
#
# La red de este curso aprendió a nombrar cosas en fotos pequeñas. Le preguntamos por otras dos
# [tareas](../../docs/glosario.md#tarea):
#
# - **cercana**: ¿qué raza es? Las imágenes son mascotas dibujadas y la red nunca vio un dibujo; de los dieciséis nombres
#   conoce seis por fotos. Se trata otra vez de decir qué animal o qué cosa aparece en la imagen.
# - **lejana**: ¿qué cifra es? Las cifras se escribieron a mano y se escanearon (vienen con scikit-learn). No tienen
#   color, ni textura, ni fondo, y a la red nadie le ha enseñado a leer.
#
# Más adelante añadimos una tercera pregunta, sobre las propias imágenes de mascotas: ¿está esta ligeramente
# **desenfocada**?

# %%
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, progress=False)
class_words = plots.class_words(data.train.class_names, LANGUAGE)
num_classes = len(class_words)
most = int(np.bincount(data.train.labels).min())
some = data.train.per_class(min(POOL // num_classes, most), seed=SEED)
test = data.test.take(np.random.default_rng(SEED).permutation(len(data.test))[:TEST_IMAGES])

scans, order = load_digits(), np.random.default_rng(SEED).permutation(1797)[: POOL + TEST_IMAGES]
grey = (scans.images[order] * 15.9375).astype(np.uint8)  # 0 to 16 becomes 0 to 255
written = np.stack([fit_photo(np.repeat(one[..., None], 3, axis=2), IMAGE_SIZE) for one in grey])

pool = {"near": (some.images, some.labels), "far": (written[:POOL], scans.target[order][:POOL])}
tests = {"near": (test.images, test.labels), "far": (written[POOL:], scans.target[order][POOL:])}
print({task: (x.shape, len(np.unique(y))) for task, (x, y) in pool.items()})

# %%
shown, titles = [], []
for task, names in (("near", class_words), ("far", [str(k) for k in range(10)])):
    images, labels = pool[task]
    for k in np.unique(np.linspace(0, len(names) - 1, 6).astype(int)):
        shown.append(images[labels == k][0])
        titles.append(names[k])
shown = np.stack(shown)
axes = plots.show_images(shown, titles, columns=6, side=1.2)

# %% [markdown] lang="en"
# *Above: the near task. Below: the far one.*
#
# ## 2. The first layer: its filters
#
# We take the pretrained [backbone](../../docs/glossary.md#backbone) and, beside it, its **untrained twin**: the same
# architecture with random weights. What the twin shows too was not learnt.
#
# A [**filter**](../../docs/glossary.md#filter) is a small picture of weights. The convolution lays it on each place of
# the image, and it answers strongly where the image looks like it. Only the first layer looks at colours, so only its
# filters can be shown as pictures. What should a filter look like that finds edges? And one that finds a colour?

# %% [markdown] lang="es"
# *Arriba, la tarea cercana; abajo, la lejana.*
#
# ## 2. La primera capa: sus filtros
#
# Tomamos la [red base](../../docs/glosario.md#red-base) preentrenada y, a su lado, su **gemela sin entrenar**: la misma
# arquitectura con pesos al azar. Lo que también muestre la gemela no se ha aprendido.
#
# Un [**filtro**](../../docs/glosario.md#filtro) es una pequeña imagen de pesos. La convolución lo coloca sobre cada
# punto de la imagen, y responde con fuerza donde esta se le parece. Solo la primera capa mira colores, así que solo sus
# filtros pueden mostrarse como imágenes. ¿Qué aspecto debería tener un filtro que busca bordes? ¿Y uno que busca un
# color?

# %% framework="pytorch"
torch.manual_seed(SEED)
network, prepare = load_network(BACKBONE)
twin, _ = load_network(BACKBONE, pretrained=False)
for one in (network, twin):
    one.to(device, memory_format=torch.channels_last).eval()


def first_filters(network):
    """Filters `(n, h, w, 3)` of the first convolution."""
    first = next(part for part in network.modules() if isinstance(part, nn.Conv2d))
    return first.weight.detach().cpu().permute(0, 2, 3, 1).numpy()


filters, random_filters = first_filters(network), first_filters(twin)
print(filters.shape)

# %% framework="tensorflow"
keras.utils.set_random_seed(SEED)
network, prepare = load_network(BACKBONE, IMAGE_SIZE, include_top=False)
twin, _ = load_network(BACKBONE, IMAGE_SIZE, include_top=False, pretrained=False)


def first_filters(network):
    """Filters `(n, h, w, 3)` of the first convolution."""
    first = next(layer for layer in network.layers if isinstance(layer, layers.Conv2D))
    return keras.ops.convert_to_numpy(first.kernel).transpose(3, 0, 1, 2)


filters, random_filters = first_filters(network), first_filters(twin)
print(filters.shape)


# %%
def grey_share(filters):
    """How much of each filter's energy is the same in red, green and blue: 1 for a grey filter, 0 for pure colour."""
    return 3 * (filters.mean(-1) ** 2).sum((1, 2)) / (filters**2).sum((1, 2, 3))


def pure_share(filters):
    return np.mean((grey_share(filters) > 0.9) | (grey_share(filters) < 0.1))


shown = np.concatenate([filters[np.argsort(-grey_share(filters))[:32]], random_filters[:16]])
shown = 0.5 + 0.5 * shown / np.abs(shown).max((1, 2, 3), keepdims=True)
axes = plots.show_images(shown, columns=16, side=0.5)
print(words["pure"], percent(pure_share(filters)), words["of_the_twin"], percent(pure_share(random_filters)))
claim("filters_specialise", 100 * (pure_share(filters) - pure_share(random_filters)))

# %% [markdown] lang="en"
# *The filters of the pretrained network, from the greyest to the most colourful; in the last row, filters of the twin.
# Light is a positive weight, dark a negative one, mid-grey is zero.*
#
# Training has divided the labour. Some filters are grey, light on one side and dark on the other: **edges**. Others
# hold colour and nothing else. The twin's are a bit of everything. The cell counts as *pure* a filter with more than
# 90 % of its energy in grey, or more than 90 % in colour. So much of the sentence holds: the first layer's filters are
# edges and colours, and that was learnt.
#
# ## 3. From maps to features
#
# A deeper filter looks at the answers of other filters, so its weights tell us little. We look at what it *gives*: its
# [feature maps](../../docs/glossary.md#feature-map). Networks are built in **stages**, and within a stage the maps keep
# their size. We cut ours into five.

# %% [markdown] lang="es"
# *Los filtros de la red preentrenada, del más gris al más colorido; en la última fila, filtros de la gemela. Lo claro
# es un peso positivo, lo oscuro uno negativo y el gris medio, cero.*
#
# El entrenamiento ha repartido el trabajo. Unos filtros son grises, claros a un lado y oscuros al otro: **bordes**.
# Otros solo tienen color. Los de la gemela son un poco de todo. La celda cuenta como *puro* un filtro con más del 90 %
# de su energía en gris, o más del 90 % en color. Esta parte de la frase se cumple: los filtros de la primera capa son
# bordes y colores, y eso se ha aprendido.
#
# ## 3. De los mapas a las características
#
# Un filtro más profundo mira las respuestas de otros filtros, así que sus pesos nos dicen poco. Miramos lo que *da*:
# sus [mapas de características](../../docs/glosario.md#mapa-de-características). Las redes se construyen por
# **etapas**, y dentro de una etapa los mapas conservan su tamaño. La nuestra la cortamos en cinco.


# %% framework="pytorch"
def stages_of(network):
    """The network up to its pooling, as five stages that run one after another."""
    if BACKBONE == "efficientnet_lite0":
        blocks, start, end = network.blocks, [network.conv_stem, network.bn1], [network.conv_head, network.bn2]
        parts = [start, blocks[:2], blocks[2:4], blocks[4:6], [*blocks[6:], *end]]
    else:  # a ResNet
        start = [network.conv1, network.bn1, network.relu, network.maxpool]
        parts = [start, network.layer1, network.layer2, network.layer3, network.layer4]
    return [nn.Sequential(*part) for part in parts]


def maps_of(network, x):
    """The maps after each stage, for pictures that are ready for the network."""
    maps = []
    with torch.no_grad():
        for stage in stages_of(network):
            x = stage(x)
            maps.append(x)
    return maps


# %% framework="tensorflow"
ENDS = {  # the last layer of each of five stages
    "mini_resnet": ["relu", "layer1", "layer2", "layer3", "layer4"],
    "efficientnet_lite0": ["bn1.act", "blocks.1", "blocks.3", "blocks.5", "bn2.act"],
}[BACKBONE]


@functools.cache  # one sub-model a network: making it, and its first prediction, take a second or two
def stages_of(network):
    """A sub-model: the same layers, with the maps after each stage as outputs."""
    return keras.Model(network.input, [network.get_layer(name).output for name in ENDS])


def maps_of(network, x):
    """The maps after each stage, for pictures that are ready for the network."""
    return stages_of(network).predict(x, batch_size=64, verbose=0)


# %% framework="pytorch"
STAGES = ("stem", *(f"{words['stage']} {k}" for k in (1, 2, 3, 4)))
picture = prepare(torch.from_numpy(pool["near"][0][0]).permute(2, 0, 1))[None].to(device)
maps = {name: m[0].permute(1, 2, 0).cpu().numpy() for name, m in zip(STAGES, maps_of(network, picture))}
axes = plots.show_feature_maps({name: maps[name] for name in (STAGES[0], STAGES[2], STAGES[4])}, side=1)

extractor = create_feature_extractor(mini_resnet(weights="DEFAULT").eval(), ["layer2.0.conv1"])
print({name: tuple(m.shape) for name, m in extractor(torch.zeros(1, 3, 64, 64)).items()})

# %% framework="tensorflow"
STAGES = ("stem", *(f"{words['stage']} {k}" for k in (1, 2, 3, 4)))
picture = np.array(prepare(pool["near"][0][:1].astype("float32")))
maps = {name: m[0] for name, m in zip(STAGES, maps_of(network, picture))}
axes = plots.show_feature_maps({name: maps[name] for name in (STAGES[0], STAGES[2], STAGES[4])}, side=1)

# %% [markdown] lang="en" framework="pytorch"
# *The first pet of section 1: six maps of an early, a middle and a late stage; yellow is strong.*
#
# Lesson 01 took maps out with a hook. There are two more ways. Run the parts yourself, as `maps_of` does. Or ask
# torchvision's `create_feature_extractor` for layers by their names (`named_modules` lists them); it has to *trace* the
# network first, that is, to run through its code once and note each operation. This fails where the code asks for the
# size of the input, as with some of timm's networks.

# %% [markdown] lang="en" framework="tensorflow"
# *The first pet of section 1: six maps of an early, a middle and a late stage; yellow is strong.*
#
# `stages_of` makes a sub-model, as in lesson 01. It shares its layers with the network: nothing is copied.

# %% [markdown] lang="es" framework="pytorch"
# *La primera mascota de la sección 1: seis mapas de una etapa del principio, una de en medio y una del final; el
# amarillo indica una respuesta fuerte.*
#
# La lección 01 sacó los mapas con un gancho (*hook*). Hay dos maneras más. Ejecutar uno mismo las partes, como hace
# `maps_of`. O pedir a `create_feature_extractor`, de torchvision, capas por su nombre (`named_modules` los enumera);
# para ello tiene que *trazar* antes la red, es decir, recorrer una vez su código y anotar cada operación. Eso falla si
# el código pregunta por el tamaño de la entrada, como ocurre con algunas redes de timm.

# %% [markdown] lang="es" framework="tensorflow"
# *La primera mascota de la sección 1: seis mapas de una etapa del principio, una de en medio y una del final; el
# amarillo indica una respuesta fuerte.*
#
# `stages_of` hace un submodelo, como en la lección 01. Comparte sus capas con la red: no se copia nada.

# %% [markdown] lang="en"
# From maps to features it is only one step, but it matters more than it seems. A picture's feature is the **average**
# of a map over all positions ([global average pooling](../../docs/glossary.md#global-average-pooling)). An average says
# how much there is of something. It does not say *where*. So whatever we shall measure with such features is about the
# averages of a layer, and not about all that its maps hold.
#
# To see the difference we take a second set of features from the first stage, the stem: averages over each of 4 × 4
# parts of the picture. They keep, roughly, the places. That makes sixteen times as many numbers.

# %% [markdown] lang="es"
# De los mapas a las características hay un solo paso, pero es más importante de lo que parece. Una característica de
# una imagen es el **promedio** de un mapa en todas sus posiciones ([agrupación por promedio
# global](../../docs/glosario.md#agrupación-por-promedio-global)). Un promedio dice cuánto hay de algo, pero no *dónde*.
# Así que lo que midamos con esas características vale para los promedios de una capa, y no para todo lo que contienen
# sus mapas.
#
# Para ver la diferencia sacamos de la primera etapa, que se llama *stem* («tallo»), un segundo juego de
# características: los promedios en cada una de 4 × 4 partes de la imagen. Conservan, más o menos, los lugares. Son
# dieciséis veces más números.


# %% framework="pytorch"
def features_of(network, images):
    """Averages of each stage's maps `(n, channels)`, and "grid": those of the stem over 4 × 4 parts of the picture."""
    found = {name: [] for name in (*STAGES, "grid")}
    for x, _ in DataLoader(ImageDataset(images, np.zeros(len(images)), prepare), batch_size=64):
        maps = maps_of(network, x.to(device))
        for name, m in zip(STAGES, maps):
            found[name].append(m.mean((2, 3)).cpu())
        found["grid"].append(F.adaptive_avg_pool2d(maps[0], 4).flatten(1).cpu())
    return {name: torch.cat(parts).numpy() for name, parts in found.items()}


features = features_of(network, pool["near"][0][:8])
print({name: values.shape for name, values in features.items()})


# %% framework="tensorflow"
@functools.cache
def reader_of(network):
    maps = stages_of(network).outputs
    averages = [layers.GlobalAveragePooling2D()(m) for m in maps]
    grid = layers.Flatten()(layers.AveragePooling2D(maps[0].shape[1] // 4)(maps[0]))
    return keras.Model(network.input, [*averages, grid])


def features_of(network, images):
    """Averages of each stage's maps `(n, channels)`, and "grid": those of the stem over 4 × 4 parts of the picture."""
    found = reader_of(network).predict(prepare(images.astype("float32")), batch_size=64, verbose=0)
    return dict(zip((*STAGES, "grid"), found))


features = features_of(network, pool["near"][0][:8])
print({name: values.shape for name, values in features.items()})

# %% [markdown] lang="en"
# **Your turn (1).** The features of *any* layer. Write `averages_of(network, name, x)`: the averages over all positions
# of what the layer `name` gives for the batch `x`, of shape `(pictures, channels)`. Leave the network as you found it.

# %% [markdown] lang="es"
# **Le toca a usted (1).** Las características de *cualquier* capa. Escriba `averages_of(network, name, x)`: los
# promedios en todas las posiciones de lo que la capa `name` da para el lote `x`, con la forma `(imágenes, canales)`.
# Deje la red como la encontró.


# %% framework="pytorch" tags=["folded"]
def check_averages(averages_of):
    torch.manual_seed(0)
    net = nn.Sequential()
    for name, part in (("a", nn.Conv2d(3, 5, 3)), ("b", nn.ReLU()), ("c", nn.Conv2d(5, 7, 3)), ("d", nn.Flatten())):
        net.add_module(name, part)
    net, x = net.eval(), torch.randn(4, 3, 12, 10)
    wanted = net[:3](x).mean((2, 3)).detach()
    try:
        found = torch.as_tensor(averages_of(net, "c", x)).detach()
    except (RuntimeError, TypeError, ValueError) as error:
        print("✘", words["nothing_returned"], error)
        return
    if found.shape != wanted.shape:
        print("✘", words["averages_shape"], tuple(found.shape))
    elif not torch.allclose(found, wanted, atol=1e-5):
        print("✘", words["averages_wrong"])
    elif any(len(part._forward_hooks) for part in net.modules()):
        print("✘", words["hook_left"])
    else:
        print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_averages(averages_of):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12, 10, 3))
    c = layers.Conv2D(7, 3, name="c")(layers.Conv2D(5, 3, activation="relu", name="a")(inputs))
    net = keras.Model(inputs, layers.Flatten(name="d")(c))
    x = np.random.default_rng(0).normal(size=(4, 12, 10, 3)).astype("float32")
    wanted = keras.ops.convert_to_numpy(keras.Model(inputs, c)(x)).mean((1, 2))
    found = averages_of(net, "c", x)
    if found is None:
        print("✘", words["nothing_returned"])
        return
    found = keras.ops.convert_to_numpy(found)
    if found.shape != wanted.shape:
        print("✘", words["averages_shape"], found.shape)
    elif not np.allclose(found, wanted, atol=1e-5):
        print("✘", words["averages_wrong"])
    else:
        print("✔", words["right"])


# %% framework="pytorch"
def averages_of(network, name, x):
    """The averages of the maps that the layer `name` gives for the batch `x`, `(pictures, channels)`."""
    # write here


check_averages(averages_of)


# %% framework="tensorflow"
def averages_of(network, name, x):
    """The averages of the maps that the layer `name` gives for the batch `x`, `(pictures, channels)`."""
    # write here


check_averages(averages_of)


# %% framework="pytorch" tags=["solution"]
def averages_of(network, name, x):
    found = []
    hook = network.get_submodule(name).register_forward_hook(lambda part, inputs, output: found.append(output))
    with torch.inference_mode():
        network(x)
    hook.remove()
    return found[0].mean((2, 3))


check_averages(averages_of)


# %% framework="tensorflow" tags=["solution"]
def averages_of(network, name, x):
    maps = network.get_layer(name).output
    return keras.Model(network.input, layers.GlobalAveragePooling2D()(maps)).predict(x, verbose=0)


check_averages(averages_of)

# %% [markdown] lang="en"
# ## 4. How much does a layer see? A test with scissors
#
# "Late layers see parts." A value of a deep map depends on a larger piece of the picture than one of an early map: its
# [**receptive field**](../../docs/glossary.md#receptive-field). It needs no training, only counting. Let $r$ be the
# field so far and $j$ the distance, in pixels of the picture, between two neighbours of the map. A convolution with
# kernel $k$ and stride $s$ makes of them
#
# $$r \leftarrow r + (k - 1) \, j, \qquad j \leftarrow s \, j.$$

# %% [markdown] lang="es"
# ## 4. ¿Cuánto ve una capa? Una prueba con tijeras
#
# «Las últimas capas ven partes». Un valor de un mapa profundo depende de un trozo de la imagen mayor que el de un mapa
# del principio: su [**campo receptivo**](../../docs/glosario.md#campo-receptivo). Para saberlo no hace falta entrenar,
# basta contar. Sea $r$ el campo hasta aquí y $j$ la distancia, en píxeles de la imagen, entre dos vecinos del mapa. Una
# convolución con kernel de lado $k$ y paso $s$ los convierte en
#
# $$r \leftarrow r + (k - 1) \, j, \qquad j \leftarrow s \, j.$$


# %% framework="pytorch"
def kernels_of(network):
    """Kernel and stride of each stage's convolutions; those of shortcuts see less, and are left out."""
    return [
        [
            (part.kernel_size[0], part.stride[0])
            for name, part in stage.named_modules()
            if isinstance(part, nn.Conv2d) and "downsample" not in name
        ]
        for stage in stages_of(network)
    ]


# %% framework="tensorflow"
def kernels_of(network):
    """Kernel and stride of each stage's convolutions; those of shortcuts see less, and are left out."""
    found = [[]]
    for layer in network.layers:
        kinds = (layers.Conv2D, layers.DepthwiseConv2D)
        if isinstance(layer, kinds) and "downsample" not in layer.name:
            found[-1].append((layer.kernel_size[0], layer.strides[0]))
        if layer.name in ENDS[:-1]:
            found.append([])
    return found


# %%
field, jump = 1, 1
for name, stage in zip(STAGES, kernels_of(network)):
    for kernel, stride in stage:
        field += (kernel - 1) * jump
        jump *= stride
    print(f"{name:>8}: {field:2} × {field:2} {words['of']} {IMAGE_SIZE} × {IMAGE_SIZE}; {words['apart']} {jump}")

# %% [markdown] lang="en"
# The untrained twin has the same fields. So "deeper layers see larger pieces" is true, and nothing that was learnt.
#
# Is their *use* learnt? Cut each picture into 4 × 4 tiles and lay them anew at random. Edges and textures are all still
# there; parts and their arrangement are gone. Which features notice?
#
# We measure how far a picture's features move when its tiles do, as a share of the (squared) distance between two
# different pictures. 0 means that nothing moved; 1, that the features have moved as far as to another picture.
#
# Guess first. The stem's features are averages. Can they notice that tiles have moved?

# %% [markdown] lang="es"
# La gemela sin entrenar tiene los mismos campos. Así que «las capas más profundas ven trozos mayores» es verdad, pero
# no es nada que se haya aprendido.
#
# ¿Y se aprende a *usarlos*? Cortemos cada imagen en 4 × 4 cuadros y coloquémoslos de nuevo al azar. Los bordes y las
# texturas siguen ahí; las partes y su disposición desaparecen. ¿Qué características lo notan?
#
# Medimos cuánto se mueven las características de una imagen cuando se mueven sus cuadros, en proporción a la distancia
# (al cuadrado) entre dos imágenes distintas. Un 0 significa que nada se ha movido; un 1, que la imagen ha quedado tan
# lejos de sí misma como de cualquier otra.
#
# Haga primero su apuesta. Las características del *stem* son promedios. ¿Pueden notar que los cuadros se han movido?


# %%
def shift(before, after):
    """How far the features of pictures move, as a share of the squared distance between two pictures."""
    return np.mean((after - before) ** 2) / (2 * np.mean((before - before.mean(0)) ** 2))


def shuffle_tiles(images, tiles=4, seed=SEED):
    """Each picture cut into `tiles` × `tiles` squares that are laid anew at random."""
    rng, side = np.random.default_rng(seed), images.shape[1] // tiles
    cut = images.reshape(-1, tiles, side, tiles, side, 3).swapaxes(2, 3).reshape(len(images), tiles**2, side, side, 3)
    cut = np.stack([one[rng.permutation(tiles**2)] for one in cut])
    return cut.reshape(-1, tiles, tiles, side, side, 3).swapaxes(2, 3).reshape(images.shape)


whole = pool["near"][0][::3]
shuffled = shuffle_tiles(whole)
shifts = {}
for kind, model in (("trained", network), ("twin", twin)):
    before, after = features_of(model, whole), features_of(model, shuffled)
    shifts[kind] = {name: shift(before[name], after[name]) for name in before}
axes = plots.show_images(np.concatenate([whole[:3], shuffled[:3]]), columns=6, side=1)


# %%
STYLES = {"trained": 0, "twin": 1, "equal": 2, "whole_far": 0, "alone": 1, "whole_near": 2}


def plot_over_stages(ax, curves, ylabel):
    """Lines over the stages, one a name of `words`."""
    for name, values in curves.items():
        k = STYLES[name]
        style = {"color": plots.COLOURS[k], "linestyle": plots.LINES[k], "marker": plots.MARKERS[k]}
        ax.plot(range(len(values)), values, label=words[name], **style)
    ax.set_xticks(range(len(STAGES)), STAGES)
    ax.set_ylabel(ylabel)
    plots.tidy(ax)


ax = plots.new_axes(None, 6, 3)
plot_over_stages(ax, {kind: [values[name] for name in STAGES] for kind, values in shifts.items()}, words["shift"])
ax.plot(0, shifts["trained"]["grid"], "x", color=plots.COLOURS[3], markersize=9, label=words["grid"])
ax.legend(frameon=False)
claim("arrangement_is_learnt", shifts["trained"][STAGES[4]] - shifts["twin"][STAGES[4]])

# %% [markdown] lang="en"
# *How far the features of a picture move when its tiles are shuffled: 0 is not at all, 1 as far as to another picture.
# The cross: the stem again, with averages over 4 × 4 parts.*
#
# The stem "sees no arrangement" because we averaged the places away. With 4 × 4 parts the same maps notice it very
# well. So this test is no proof that early layers are blind to arrangement. What it does show is at the other end. The
# last stage is averaged too, and its fields reach across tiles. There the trained network notices, and its twin, with
# the same fields, far less. *That* was learnt.
#
# **Your turn (2).** Check the field by measurement. Write `influence(network, x, row, column)`: which pixels of the one
# picture `x` change what the network gives at one position of its map? The gradient with respect to the *picture* says
# so; where it is not zero, a pixel has influence. Return a table of True and False, of the height and width of the
# picture.

# %% [markdown] lang="es"
# *Cuánto se mueven las características de una imagen cuando se barajan sus cuadros: 0 es nada; 1, tanto como hasta otra
# imagen. La cruz: otra vez el* stem, *con promedios en 4 × 4 partes.*
#
# El *stem* «no ve la disposición» porque al promediar hemos borrado los lugares. Con 4 × 4 partes, los mismos mapas la
# notan muy bien. Así que esta prueba no demuestra que las primeras capas sean ciegas a la disposición. Lo que sí
# muestra está en el otro extremo. La última etapa también se promedia, y sus campos abarcan varios cuadros. Ahí la red
# entrenada nota el cambio, y su gemela, con los mismos campos, mucho menos. *Eso* sí se ha aprendido.
#
# **Le toca a usted (2).** Compruebe el campo midiéndolo. Escriba `influence(network, x, row, column)`: ¿qué píxeles de
# la única imagen `x` cambian lo que la red da en una posición de su mapa? Lo dice el gradiente respecto a la *imagen*:
# donde no es cero, el píxel influye. Devuelva una tabla de True y False, con la altura y la anchura de la imagen.


# %% framework="pytorch" tags=["folded"]
def check_influence(influence):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 5, 3, padding=1)).eval()
    found = influence(net, torch.randn(1, 3, 32, 32), 6, 8)
    if found is None:
        print("✘", words["nothing_returned"])
        return
    found = np.asarray(found) != 0
    wanted = np.zeros((32, 32), bool)
    wanted[9:16, 13:20] = True
    if found.shape != wanted.shape:
        print("✘", words["influence_shape"], found.shape)
    elif found.all():
        print("✘", words["influence_everywhere"])
    elif np.array_equal(found, wanted.T) or not np.array_equal(found, wanted):
        print("✘", words["influence_wrong"], int(found.sum()), "≠", 7 * 7)
    else:
        print("✔", words["right"], "7 × 7")


# %% framework="tensorflow" tags=["folded"]
def check_influence(influence):
    keras.utils.set_random_seed(0)
    padded = layers.ZeroPadding2D(1)
    net = keras.Sequential(
        [keras.Input((32, 32, 3)), padded, layers.Conv2D(4, 3, strides=2), layers.Conv2D(5, 3, padding="same")]
    )
    found = influence(net, tf.random.normal((1, 32, 32, 3), seed=0), 6, 8)
    if found is None:
        print("✘", words["nothing_returned"])
        return
    found = np.asarray(found) != 0
    wanted = np.zeros((32, 32), bool)
    wanted[9:16, 13:20] = True
    if found.shape != wanted.shape:
        print("✘", words["influence_shape"], found.shape)
    elif found.all():
        print("✘", words["influence_everywhere"])
    elif not np.array_equal(found, wanted):
        print("✘", words["influence_wrong"], int(found.sum()), "≠", 7 * 7)
    else:
        print("✔", words["right"], "7 × 7")


# %% framework="pytorch"
def influence(network, x, row, column):
    """Which pixels of `x`, `(1, 3, h, w)`, change the network's output at one position? Bools `(h, w)`."""
    # write here


check_influence(influence)


# %% framework="tensorflow"
def influence(network, x, row, column):
    """Which pixels of `x`, `(1, h, w, 3)`, change the network's output at one position? Bools `(h, w)`."""
    # write here


check_influence(influence)


# %% framework="pytorch" tags=["solution"]
def influence(network, x, row, column):
    x = x.clone().requires_grad_(True)
    network(x)[0, :, row, column].sum().backward()
    return (x.grad[0] != 0).any(0)


check_influence(influence)


# %% framework="tensorflow" tags=["solution"]
def influence(network, x, row, column):
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        answer = tf.reduce_sum(network(x)[0, row, column])
    return tf.reduce_any(tape.gradient(answer, x)[0] != 0, axis=-1)


check_influence(influence)

# %% [markdown] lang="en"
# ## 5. What can be read off each layer?
#
# A [linear probe](../../docs/glossary.md#linear-probe) is a logistic regression on the features of one layer. If it
# answers well, the answer can be read off those features with a weighted sum. Each probe learns from the same
# `PROBE_LABELS` labelled pictures and is judged on 300 others; each seed draws other labelled pictures.
#
# Draw on paper, before you go on, accuracy over depth for our three questions: breed, digit, blurred or not.

# %% [markdown] lang="es"
# ## 5. ¿Qué se puede leer en cada capa?
#
# Una [sonda lineal](../../docs/glosario.md#sonda-lineal) es una regresión logística sobre las características de una
# capa. Si responde bien, la respuesta se puede leer en esas características con una suma ponderada. Cada sonda aprende
# de las mismas `PROBE_LABELS` imágenes etiquetadas y se juzga con otras 300; cada semilla elige otras imágenes
# etiquetadas.
#
# Antes de seguir, dibuje en un papel la exactitud según la profundidad para nuestras tres preguntas: raza, cifra,
# desenfocada o no.

# %%
coins = np.random.default_rng(SEED).integers(0, 2, len(pool["near"][1]))
sigma = 0.5 * IMAGE_SIZE / 64  # of the blur, in pixels
shots = np.stack([gaussian_filter(x, (sigma, sigma, 0)) if c else x for x, c in zip(pool["near"][0], coins)])
noise = np.random.default_rng(SEED + 1).normal(0, 3, shots.shape)
shots = np.clip(shots + noise, 0, 255).astype(np.uint8)
asked = {**pool, "blur": (shots, coins)}
seen = {("trained", task): features_of(network, x) for task, (x, _) in asked.items()}
seen |= {("twin", task): features_of(twin, x) for task, (x, _) in pool.items()}

# %%
seeds = [100 * SEED + k for k in range(SEEDS)]


def probe(features, labels):
    """Whether a probe is right on each judged picture, `(seeds, 300)`; of few pictures it judges half."""
    judges = min(300, len(labels) // 2)
    rest, judged = train_test_split(np.arange(len(labels)), test_size=judges, stratify=labels, random_state=SEED)
    right = []
    for seed in seeds:
        some = rest
        if len(rest) > PROBE_LABELS + num_classes:
            some, _ = train_test_split(rest, train_size=PROBE_LABELS, stratify=labels[rest], random_state=seed)
        answers = metrics.linear_probe(features[some], labels[some], features[judged]).argmax(1)
        right.append(answers == labels[judged])
    return np.array(right)


known = {
    (kind, task, name): probe(values, asked[task][1])
    for (kind, task), found in seen.items()
    for name, values in found.items()
}
print(words["judged"], *(f"{words[task]} {known['trained', task, STAGES[0]].shape[1]}" for task in asked), sep=" · ")

# %% [markdown] lang="en"
# One thing is not equal yet. The stem has 32 channels and the last stage 256, so its probe sees eight times as many
# numbers. So once more, with as many numbers for each stage as the stem has: the first 32 directions of a **PCA**, the
# directions in which the features spread most. (With another backbone the numbers are others.)

# %% [markdown] lang="es"
# Algo no es igual todavía. El *stem* tiene 32 canales y la última etapa 256, así que su sonda ve ocho veces más
# números. Por eso repetimos la prueba con tantos números por etapa como tiene el *stem*: las 32 primeras direcciones de
# un **PCA**, aquellas en las que más se dispersan las características. (Con otra red base, los números son otros).

# %%
fewest = min(values.shape[1] for values in seen["trained", "near"].values())
for task in asked:
    for name, values in seen["trained", task].items():
        axes = min(fewest, len(values) - 1)
        values = make_pipeline(StandardScaler(), PCA(axes, random_state=SEED)).fit_transform(values)
        known["equal", task, name] = probe(values, asked[task][1])

figure, axes = plots.plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained")
for ax, task in zip(axes, asked):
    kinds = [kind for kind in ("trained", "twin", "equal") if (kind, task, STAGES[0]) in known]
    curves = {kind: [100 * known[kind, task, name].mean() for name in STAGES] for kind in kinds}
    plot_over_stages(ax, curves, plots.word("accuracy", LANGUAGE))
    for kind, mark, name in (("trained", "x", "grid"), ("equal", "+", "grid_equal")):
        grid = 100 * known[kind, task, "grid"].mean()
        ax.plot(0, grid, mark, color=plots.COLOURS[3], markersize=9, label=words[name])
    ax.set_title(words[task])
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)


# %%
def gain(task, before, after, kind="trained"):
    return metrics.paired_difference(known[kind, task, before], known[kind, task, after])


for task in asked:
    for name in STAGES[:4]:
        print(
            f"{words[task]}, {name} → {STAGES[4]}:", metrics.describe_difference(gain(task, name, STAGES[4]), LANGUAGE)
        )
best = {
    (kind, task): max(known[kind, task, name].mean() for name in STAGES)
    for kind in ("trained", "twin")
    for task in pool
}
lead = {task: best["trained", task] - best["twin", task] for task in pool}
claim("learning_helps_the_near_task", 100 * (lead["near"] - lead["far"]))
claim("near_grows_with_depth", 100 * gain("near", STAGES[0], STAGES[4], "equal"))
claim("averaging_weakened_the_stem", 100 * gain("far", STAGES[0], "grid", "equal"))
claim("late_lets_go_of_blur", 100 * gain("blur", STAGES[4], STAGES[1]))

# %% [markdown] lang="en"
# *Accuracy of the probes over depth. Blue, solid: the trained network. Orange, dashed: its untrained twin. Green: the
# trained network, each stage with as many numbers as the stem has. Crosses: the stem with averages over 4 × 4 parts;
# the upright one (+) with as many numbers as the averaged stem.*
#
# What do the lines say?
#
# - **Near**: the deeper the better, though the last step brings little. The number of features is not the reason: the
#   green line rises too. The twin stays far behind, so what helps was learnt.
# - **Far**: the averaged stem is the weakest again. But look at the crosses. With the places kept, the very same maps
#   of the stem do as well as the last stage, or nearly, even with no more numbers than before. "The first layer knows
#   little" meant "the *average* of the first layer knows little". And look at the twin: from stage 3 on it comes close
#   to the trained network. Here depth helps, and training on photos hardly does. Without the twin we should have put it
#   down to what was learnt.
# - **Blurred or not**: the early stages know more than the last. The network learnt to name things, and a dog is a dog,
#   sharp or blurred. What does not help with names is let go on the way. (This is a question about the same pictures,
#   not a far domain.) The places do not help here: the crosses lie below. More numbers are not always better.
#
# So: choose the layer by a probe, which takes seconds, and think of what averaging does before you say that a layer
# "does not know" something.
#
# ## 6. General or specific? Yosinski's experiment
#
# A probe asks what can be read off. The words *general* and *specific* come from another experiment (Yosinski et al.,
# 2014). Copy the first *n* layers of a trained network and **freeze** them. Put the remaining layers on top, with
# **random** weights, and train these on the new task. If the copied layers are general, nothing is lost against
# training all of it; if they are specific to the old task, the result is worse.
#
# We do it for each *n* from 0 (nothing copied, all of it trained from scratch) to 5 (all stages copied, only a head is
# trained). Every *n* gets the same labelled pictures, the same rule that says when to stop, and the same `SEEDS`.
# Before you go on: for which *n* do you expect the best result on breeds? And on digits?
#
# That is a lot of training. Two things make it cheap. The copied layers are frozen, so what they give is computed
# **once**, and only the rest is trained, on maps in place of pictures. And we take the course's narrower network, with
# half the channels in each layer, and pictures of 48 pixels.

# %% [markdown] lang="es"
# *Exactitud de las sondas según la profundidad. Azul, línea continua: la red entrenada. Naranja, rayas: su gemela sin
# entrenar. Verde: la red entrenada, cada etapa con tantos números como tiene el* stem. *Cruces: el* stem *con promedios
# en 4 × 4 partes; la que tiene forma de +, con tantos números como el* stem *promediado.*
#
# ¿Qué dicen las líneas?
#
# - **Cercana**: cuanto más profundo, mejor, aunque el último paso aporta poco. No se debe al número de características:
#   la línea verde también sube. La gemela queda muy atrás, así que lo que ayuda se ha aprendido.
# - **Lejana**: el *stem* promediado vuelve a ser el más flojo. Pero mire las cruces. Si se conservan los lugares, los
#   mismos mapas del *stem* aciertan tanto como la última etapa, o casi, incluso sin más números que antes. «La primera
#   capa sabe poco» quería decir «el *promedio* de la primera capa sabe poco». Y mire la gemela: desde la etapa 3 se
#   acerca mucho a la red entrenada. Aquí ayuda la profundidad, y apenas lo aprendido con fotos. Sin la gemela, se lo
#   habríamos atribuido a lo aprendido.
# - **Desenfocada o no**: las primeras etapas saben más que la última. La red aprendió a nombrar cosas, y un perro es un
#   perro, nítido o borroso. Lo que no sirve para nombrar se abandona por el camino. (Es una pregunta sobre las mismas
#   imágenes, no un dominio lejano). Aquí los lugares no ayudan: las cruces quedan por debajo. Más números no siempre es
#   mejor.
#
# Así que elija la capa con una sonda, que es cuestión de segundos, y piense en lo que hace el promedio antes de decir
# que una capa «no sabe» algo.
#
# ## 6. ¿General o específico? El experimento de Yosinski
#
# Una sonda pregunta qué se puede leer. Las palabras *general* y *específico* salen de otro experimento (Yosinski et
# al., 2014). Se copian las *n* primeras capas de una red entrenada y se **congelan**. Encima se ponen las capas
# restantes, con pesos **al azar**, y se entrenan en la tarea nueva. Si las capas copiadas son generales, no se pierde
# nada frente a entrenarlo todo; si son específicas de la tarea antigua, el resultado es peor.
#
# Lo hacemos para cada *n*, desde 0 (no se copia nada y se entrena todo desde cero) hasta 5 (se copian todas las etapas
# y solo se entrena una cabeza). Todos los *n* reciben las mismas imágenes etiquetadas, la misma regla para parar y las
# mismas `SEEDS` semillas. Antes de seguir: ¿con qué *n* espera el mejor resultado en las razas? ¿Y en las cifras?
#
# Eso es mucho entrenamiento. Dos cosas lo abaratan. Las capas copiadas están congeladas, así que lo que dan se calcula
# **una sola vez**, y solo se entrena el resto, con mapas en lugar de imágenes. Y tomamos la red más estrecha del curso,
# con la mitad de canales en cada capa, e imágenes de 48 píxeles.


# %% framework="pytorch"
def small_network(pretrained):
    """The course's narrower network; another backbone as it is."""
    if BACKBONE != "mini_resnet":
        return load_network(BACKBONE, pretrained)[0]
    narrow = MiniResNet(width=16)
    if pretrained:
        narrow.load_state_dict(load_file(mini_resnet_file("mini_resnet_narrow")))
    return narrow


pretrained = small_network(True).to(device, memory_format=torch.channels_last).eval()


def maps_before(images):
    """What each stage takes: the prepared pictures, then the maps of the pretrained stages, one after another."""
    x = torch.stack([prepare(torch.from_numpy(image).permute(2, 0, 1)) for image in images]).to(device)
    x = F.interpolate(x, (RETRAIN_SIZE, RETRAIN_SIZE), mode="bilinear", antialias=True)
    batches = [maps_of(pretrained, batch) for batch in x.split(64)]
    return [x, *(torch.cat(maps) for maps in zip(*batches))]


# %% framework="tensorflow"
def small_network(pretrained):
    """The course's narrower network; another backbone as it is."""
    if BACKBONE != "mini_resnet":
        return load_network(BACKBONE, RETRAIN_SIZE, pretrained, include_top=False)[0]
    weights, shape = "tiny_imagenet" if pretrained else None, (RETRAIN_SIZE, RETRAIN_SIZE, 3)
    return MiniResNet(include_top=False, weights=weights, input_shape=shape, width=16)


pretrained = small_network(True)


def maps_before(images):
    """What each stage takes: the prepared pictures, then the maps of the pretrained stages, one after another."""
    x = prepare(images.astype("float32"))
    x = np.array(keras.ops.image.resize(x, (RETRAIN_SIZE, RETRAIN_SIZE), antialias=True))
    return [x, *maps_of(pretrained, x)]


# %% framework="pytorch"
OUTPUTS = max(num_classes, 10)  # one head for both tasks; the task with fewer classes leaves some outputs unused


def on_top(stages):
    """These stages, the pooling and a new head."""
    width = list(pretrained.children())[-1].in_features
    model = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, OUTPUTS))
    return model.to(device, memory_format=torch.channels_last)


def rest_after(n, seed):
    """All that follows the first `n` stages, with random weights, the same for each `n`."""
    torch.manual_seed(seed)
    return on_top(stages_of(small_network(False))[n:])


# %% framework="tensorflow"
OUTPUTS = max(num_classes, 10)  # one head for both tasks; the task with fewer classes leaves some outputs unused
readers = {}


@functools.cache  # compiled once, used for all seeds and both tasks: the first step after `compile` takes seconds
def compiled(n, learns=None):
    """All that follows the first `n` stages, and a head. Only the stages in `learns` learn; None for all."""
    base = small_network(False)
    maps = base.input if n == 0 else base.get_layer(ENDS[n - 1]).output
    stage = 0
    for layer in base.layers:
        if learns is not None:  # BatchNorm keeps its statistics
            layer.trainable = stage in learns and not isinstance(layer, layers.BatchNormalization)
        stage += layer.name in ENDS
    averages = [layers.GlobalAveragePooling2D()(base.get_layer(name).output) for name in ENDS]
    model = keras.Model(maps, layers.Dense(OUTPUTS)(averages[-1]))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(), loss, metrics=["accuracy"], jit_compile=ON_GPU)
    model.optimizer.build(model.trainable_variables)
    if n < 5:
        readers[model] = keras.Model(maps, averages[n:])  # the same layers, with other outputs
    return model


# %% [markdown] lang="en" framework="tensorflow"
# `compiled` is called once for each *n*. For another seed or task the model gets other weights, and its optimizer,
# which remembers the steps before, is set back to zero.

# %% [markdown] lang="es" framework="tensorflow"
# `compiled` se llama una vez para cada *n*. Para otra semilla u otra tarea, el modelo recibe otros pesos, y su
# optimizador, que recuerda los pasos anteriores, se pone otra vez a cero.

# %% [markdown] lang="en" framework="pytorch"
# `rest_after` draws the weights of the whole network and leaves the first stages out. So all *n* start from the same
# random numbers.

# %% [markdown] lang="es" framework="pytorch"
# `rest_after` sortea los pesos de la red entera y deja fuera las primeras etapas. Así todos los *n* parten de los
# mismos números al azar.


# %% framework="pytorch"
def train(model, rate, x, y, x_val, y_val):
    """Until validation no longer improves; returns the number of steps."""
    learn, stop = (TensorDataset(maps, torch.from_numpy(labels)) for maps, labels in ((x, y), (x_val, y_val)))
    loader = DataLoader(learn, 16, sampler=RandomSampler(learn, num_samples=20 * 16))
    optimizer = optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=rate)
    history = fit(model, optimizer, loader, DataLoader(stop, 64), patience=PATIENCE, epochs=ROUNDS)
    return 20 * len(history["loss"])


def head_of(model):
    return {name: weight.clone() for name, weight in model[-1].state_dict().items()}


def answers_of(model, x):
    return predict(model, DataLoader(TensorDataset(x, torch.zeros(len(x))), 64)).argmax(1)


# %% framework="tensorflow"
def rest_after(n, seed):
    """All that follows the first `n` stages, with random weights."""
    keras.utils.set_random_seed(seed)
    model = compiled(n)
    model.set_weights(keras.models.clone_model(model).get_weights())  # a clone has new random weights
    return model


def train(model, rate, x, y, x_val, y_val):
    """Until validation no longer improves; returns the number of steps."""
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    model.optimizer.learning_rate = rate
    learn = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(y)).repeat().batch(16).take(20)
    stop = tf.data.Dataset.from_tensor_slices((x_val, y_val)).batch(64)
    callbacks = [
        keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.3, patience=PATIENCE // 3),
        keras.callbacks.EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True),
    ]
    history = model.fit(learn, validation_data=stop, epochs=ROUNDS, callbacks=callbacks, shuffle=False, verbose=0)
    return 20 * len(history.epoch)


# %% framework="pytorch"
def pretrained_after(n, learns, head):
    """The pretrained stages after the first `n`, and a trained head; the stages in `learns` learn, and the head."""
    stages = stages_of(small_network(True))
    model = on_top(stages[n:])
    model[-1].load_state_dict(head)
    freeze(model[:-1])
    for k in learns:
        for part in stages[k].modules():
            if isinstance(part, nn.Conv2d):  # BatchNorm keeps its statistics
                part.requires_grad_(True)
    return model


def averages_after(model, n, x):
    """The averages of the maps after each stage of a model that begins after stage `n`."""
    found = []
    model.eval()
    with torch.inference_mode():
        for stage in model[: 5 - n]:
            x = stage(x)
            found.append(x.mean((2, 3)).cpu().numpy())
    return found


# %% framework="tensorflow"
def pretrained_after(n, learns, head):
    """The pretrained stages after the first `n`, and a trained head; the stages in `learns` learn, and the head."""
    model = compiled(n, tuple(learns))
    for layer in model.layers[:-1]:
        if layer.weights:
            layer.set_weights(pretrained.get_layer(layer.name).get_weights())
    model.layers[-1].set_weights(head)
    return model


def answers_of(model, x):
    batches = [
        model(x[i : i + 64], training=False) for i in range(0, len(x), 64)
    ]  # `predict` would trace a graph first
    return np.concatenate(batches).argmax(1)


def head_of(model):
    return model.layers[-1].get_weights()


def averages_after(model, n, x):
    """The averages of the maps after each stage of a model that begins after stage `n`."""
    return [np.array(averages) for averages in keras.tree.flatten(readers[model](x, training=False))]


# %% [markdown] lang="en"
# The last cell prepares a second way, the usual [fine-tuning](../../docs/glossary.md#fine-tuning): all stages copied,
# the head trained first, and then all of it at a low rate. It shows whether something that is lost by freezing comes
# back.

# %% [markdown] lang="es"
# La última celda prepara un segundo camino, el [ajuste fino](../../docs/glosario.md#ajuste-fino) de siempre: se copian
# todas las etapas, se entrena primero la cabeza y después todo con una tasa baja. Muestra si lo que se pierde al
# congelar se recupera.


# %%
def draw(task, seed):
    """Labelled pictures to learn from, those to stop by, and the test: for each, what every stage takes, and labels."""
    images, labels = pool[task]
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(np.flatnonzero(labels == c))[:LABELS] for c in np.unique(labels)]
    chosen = np.concatenate(chosen)
    fifth = max(len(np.unique(labels)), len(chosen) // 5)  # one of each class at least
    learn, stop = train_test_split(chosen, test_size=fifth, stratify=labels[chosen], random_state=seed)
    parts = ((images[learn], labels[learn]), (images[stop], labels[stop]), tests[task])
    return [(maps_before(x), y) for x, y in parts]


# %%
right, steps, heads, whole = {}, {}, {}, {}
for task in tests:
    for seed in seeds:
        (x, y), (x_val, y_val), (x_test, y_test) = draw(task, seed)
        for n in (0, 1, 2, 3, 4, 5, "tuned"):
            start = n if n != "tuned" else 0
            rate = RATE if n != "tuned" else FINE_TUNE_RATE
            model = rest_after(n, seed) if n != "tuned" else pretrained_after(0, range(5), heads[task])
            used = train(model, rate, x[start], y, x_val[start], y_val)
            steps.setdefault((task, n), []).append(used)
            right.setdefault((task, n), []).append(answers_of(model, x_test[start]) == y_test)
            if n == 5:
                heads[task] = head_of(model)
    start = pretrained_after(0, [], heads[task])  # of the last seed, for section 7
    whole[task] = [averages_after(one, 0, x_test[0]) for one in (start, model)]

# %%
axes = plots.plt.subplots(1, 2, figsize=(8.4, 3.2), layout="constrained")[1]
for ax, task in zip(axes, tests):
    accuracies = 100 * np.array([np.mean(right[task, n], axis=1) for n in range(6)])
    ax.plot(range(6), accuracies.mean(1), "o-", color=plots.COLOURS[0], label=words["frozen"])
    ax.plot(range(6), accuracies, "o", color=plots.COLOURS[0], alpha=0.3, markersize=4)
    tuned = 100 * np.mean(right[task, "tuned"], axis=1)
    ax.plot(5, tuned.mean(), "D", color=plots.COLOURS[1], label=words["tuned"])
    ax.set(xlabel=words["copied"], ylabel=plots.word("accuracy", LANGUAGE), title=words[task])
    plots.tidy(ax)
    for n in (*range(6), "tuned"):
        found = metrics.accuracy_estimate([run.mean() for run in right[task, n]], len(tests[task][1]))
        print(f"{words[task]:>18} {words.get(n, n)!s:>28} {found}  {np.mean(steps[task, n]):4.0f} {words['steps']}")
axes[0].legend(frameon=False)

# %% [markdown] lang="en"
# *Test accuracy with the first n stages copied and frozen and the rest trained from random weights; pale marks are
# single seeds. Diamond: all stages copied, then fine-tuned. The lines of text add 95 % intervals and steps.*

# %% [markdown] lang="es"
# *Exactitud en la prueba con las n primeras etapas copiadas y congeladas y el resto entrenado desde pesos al azar; cada
# marca pálida es una semilla. Rombo: todas las etapas copiadas y después ajuste fino. Las líneas de texto añaden
# intervalos del 95 % y pasos.*


# %%
def difference(task, a, b):
    return metrics.paired_difference(np.array(right[task, a]), np.array(right[task, b]))


for task in tests:
    for a, b in ((0, 1), (2, 4), (4, 5), (5, "tuned")):
        print(f"{words[task]}, n = {words.get(a, a)} → {words.get(b, b)}:",
              metrics.describe_difference(difference(task, a, b), LANGUAGE))  # fmt: skip
claim("stem_is_general", 100 * difference("far", 0, 1))
claim("stem_alone_gains_nothing", 100 * difference("near", 0, 1))
claim("middle_stages_carry_the_gain", 100 * difference("near", 2, 4))
claim("last_stage_is_specific", 100 * difference("far", 5, 4))
claim("tuning_wins_it_back", 100 * difference("far", 5, "tuned"))

# %% [markdown] lang="en"
# Read the two curves against the sentence.
#
# - **"Early layers are general."** For digits, yes: with the stem copied and frozen, nothing is lost. For breeds,
#   oddly, a little may be. One run's test sees no difference; but in eleven settings that we tried (other seeds, widths
#   and sizes of pictures) the copied stem cost breeds 1 to 7 points, and never gained any. "General" does not mean
#   "useful by itself".
# - **The gain comes from the middle.** With stages 2 and 3 copied too, breeds are recognised far better than from
#   scratch. And digits, which have nothing to do with the source task, lose nothing with four stages frozen. By this
#   test, all but the last stage are general.
# - **"Late layers are specific."** That holds for the last stage, and the far task shows it: to freeze that stage too
#   costs digits many points. For breeds it costs nothing that we can see, since what is specific there suits them.
# - **Fine-tuning wins it back**, most of it or all. What the frozen last stage lacks is not lost for good: when all
#   stages may learn, digits come up to about where a last stage that starts afresh takes them.
#
# Yosinski et al. found more, with a network of eight layers and more than half a million pictures a task: a dip in the
# middle, as neighbouring layers had learnt to work together and were torn apart. (The small loss on breeds may be of
# that kind; this experiment cannot tell.) And where labels are few, frozen layers have an advantage of their own: fewer
# weights to learn.
#
# **Your turn (3).** We froze by computing maps once. Where pictures are flipped and shifted at random that is not
# possible. Then the layers are copied and frozen in the network itself. Write `copy_and_freeze(network, known, n)`: the
# first `n` stages of `network` get all that those of `known` hold, and no longer learn; the rest stays as it is.
# `stages_of` finds the stages.

# %% [markdown] lang="es"
# Lea las dos curvas junto a la frase.
#
# - **«Las primeras capas son generales».** Para las cifras, sí: con el *stem* copiado y congelado no se pierde nada.
#   Para las razas, curiosamente, quizá algo. La prueba de una sola ejecución no ve diferencia; pero en once
#   configuraciones que probamos (otras semillas, anchuras y tamaños de imagen) el *stem* copiado les costó a las razas
#   de 1 a 7 puntos, y nunca les dio ninguno. «General» no quiere decir «útil por sí solo».
# - **La ganancia viene del medio.** Si se copian también las etapas 2 y 3, las razas se reconocen mucho mejor que desde
#   cero. Y las cifras, que no tienen nada que ver con la tarea de origen, no pierden nada con cuatro etapas congeladas.
#   Según esta prueba, todas las etapas menos la última son generales.
# - **«Las últimas capas son específicas».** Se cumple para la última etapa, y lo muestra la tarea lejana: congelar
#   también esa etapa les cuesta a las cifras muchos puntos. A las razas no les cuesta nada que se vea, porque lo que
#   tiene de específico les conviene.
# - **El ajuste fino lo recupera**, casi todo o todo. Lo que le falta a la última etapa congelada no se ha perdido para
#   siempre: cuando pueden aprender todas las etapas, las cifras suben más o menos hasta donde las lleva una última
#   etapa que empieza de nuevo.
#
# Yosinski et al. encontraron algo más, con una red de ocho capas y más de medio millón de imágenes por tarea: un bache
# en el medio, porque capas vecinas habían aprendido a trabajar juntas y se las separó. (La pequeña pérdida con las
# razas puede ser de ese tipo; este experimento no puede decirlo). Y cuando hay pocas etiquetas, las capas congeladas
# tienen una ventaja propia: quedan menos pesos por aprender.
#
# **Le toca a usted (3).** Hemos congelado calculando los mapas una sola vez. Si las imágenes se reflejan y desplazan al
# azar, eso no es posible. Entonces las capas se copian y congelan en la propia red. Escriba `copy_and_freeze(network,
# known, n)`: las `n` primeras etapas de `network` reciben todo lo que guardan las de `known` y dejan de aprender; el
# resto queda como está. `stages_of` encuentra las etapas.

# %% [markdown] lang="en" framework="tensorflow"
# In Keras a stage ends with the layer that `ENDS` names, and `network.layers` lists the layers in their order.

# %% [markdown] lang="es" framework="tensorflow"
# En Keras una etapa termina en la capa que nombra `ENDS`, y `network.layers` enumera las capas en su orden.

# %% [markdown] lang="en" framework="pytorch"
# A stage holds weights and, in BatchNorm, statistics.

# %% [markdown] lang="es" framework="pytorch"
# Una etapa guarda pesos y, en BatchNorm, estadísticas.


# %% framework="pytorch" tags=["folded"]
def check_copy(copy_and_freeze):
    torch.manual_seed(0)
    net, known = small_network(False), small_network(False)
    for value in (*known.parameters(), *known.buffers()):
        value.data = value.data + 1
    copy_and_freeze(net, known, 2)
    pairs = list(zip(stages_of(net), stages_of(known)))
    same = [all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters())) for a, b in pairs]
    statistics = [all(torch.equal(p, q) for p, q in zip(a.buffers(), b.buffers())) for a, b in pairs]
    copied = [weight.requires_grad for stage in stages_of(net)[:2] for weight in stage.parameters()]
    rest = [weight.requires_grad for stage in stages_of(net)[2:] for weight in stage.parameters()]
    rest += [weight.requires_grad for weight in list(net.children())[-1].parameters()]
    if not all(same[:2]):
        print("✘", words["not_copied"])
    elif any(same[2:]):
        print("✘", words["copied_too_much"])
    elif not all(statistics[:2]):
        print("✘", words["statistics_not_copied"])
    elif any(copied):
        print("✘", words["still_learns"])
    elif not all(rest):
        print("✘", words["rest_frozen"])
    else:
        print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_copy(copy_and_freeze):
    net, known = small_network(False), small_network(False)
    known.set_weights([weights + 1 for weights in known.get_weights()])
    copy_and_freeze(net, known, 2)
    end = net.layers.index(net.get_layer(ENDS[1])) + 1
    same = [
        all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), other.get_weights()))
        for layer, other in zip(net.layers, known.layers)
    ]
    first, rest = net.layers[:end], [layer for layer in net.layers[end:] if layer.weights]
    if not all(same[:end]):
        print("✘", words["not_copied"])
    elif any(same[net.layers.index(layer)] for layer in rest):
        print("✘", words["copied_too_much"])
    elif any(layer.trainable_weights for layer in first):
        print("✘", words["still_learns"])
    elif not all(layer.trainable_weights for layer in rest):
        print("✘", words["rest_frozen"])
    else:
        print("✔", words["right"])


# %% framework="pytorch"
def copy_and_freeze(network, known, n):
    """The first `n` stages of `network` get what those of `known` hold, and learn no longer."""
    # write here


check_copy(copy_and_freeze)


# %% framework="tensorflow"
def copy_and_freeze(network, known, n):
    """The first `n` stages of `network` get what those of `known` hold, and learn no longer."""
    # write here


check_copy(copy_and_freeze)


# %% framework="pytorch" tags=["solution"]
def copy_and_freeze(network, known, n):
    for stage, other in zip(stages_of(network)[:n], stages_of(known)):
        stage.load_state_dict(other.state_dict())
        for parameter in stage.parameters():
            parameter.requires_grad = False


check_copy(copy_and_freeze)


# %% framework="tensorflow" tags=["solution"]
def copy_and_freeze(network, known, n):
    end = network.layers.index(network.get_layer(ENDS[n - 1])) + 1
    for layer, other in zip(network.layers[:end], known.layers):
        layer.set_weights(other.get_weights())
        layer.trainable = False


check_copy(copy_and_freeze)

# %% [markdown] lang="en"
# ## 7. How far does fine-tuning move each stage?
#
# "Fine-tuning changes the last layers most." To test it one often compares each layer's features before and after, with
# CKA. But a stage's output changes for two reasons: its own weights have changed, or what it is *given* has. The deeper
# the stage, the more changes have piled up before it.
#
# CKA ([centred kernel alignment](../../docs/glossary.md#cka)) compares two tables of features of the same pictures, a
# row a picture, each column less its mean:
#
# $$\mathrm{CKA}(X, Y) = \frac{\lVert X^\top Y \rVert^2}{\lVert X^\top X \rVert \; \lVert Y^\top Y \rVert}$$
#
# where $\lVert \cdot \rVert$ is the root of the sum of all squared entries. 1 means that both say the same about which
# pictures are alike; near 0 they have nothing in common. The order of the channels does not matter.
#
# We look at both. First the network of section 6 that was fine-tuned as a whole. Then five more, for the far task: in
# each, **one stage alone** may learn (and the head), all others stay pretrained, and we look at that stage's output.
# All start from the same trained head and stop by the same rule.

# %% [markdown] lang="es"
# ## 7. ¿Cuánto mueve el ajuste fino cada etapa?
#
# «El ajuste fino cambia sobre todo las últimas capas». Para comprobarlo se suelen comparar con CKA las características
# de cada capa antes y después. Pero la salida de una etapa cambia por dos razones: han cambiado sus propios pesos, o ha
# cambiado lo que *recibe*. Cuanto más profunda es la etapa, más cambios se han acumulado antes de ella.
#
# CKA (*centred kernel alignment*, [alineación de núcleos centrados](../../docs/glosario.md#cka)) compara dos tablas de
# características de las mismas imágenes: una fila por imagen, y a cada columna se le ha restado su media:
#
# $$\mathrm{CKA}(X, Y) = \frac{\lVert X^\top Y \rVert^2}{\lVert X^\top X \rVert \; \lVert Y^\top Y \rVert}$$
#
# donde $\lVert \cdot \rVert$ es la raíz de la suma de todos los elementos al cuadrado. Un 1 significa que ambas dicen
# lo mismo sobre qué imágenes se parecen; cerca de 0, que no tienen nada en común. El orden de los canales no importa.
#
# Miramos las dos cosas. Primero, la red de la sección 6 que se ajustó entera. Después, cinco más, para la tarea lejana:
# en cada una puede aprender **una sola etapa** (y la cabeza), las demás quedan como estaban, y miramos la salida de esa
# etapa. Todas parten de la misma cabeza entrenada y paran según la misma regla.


# %%
def linear_cka(x, y):
    x, y = (np.float64(features) - features.mean(0) for features in (x, y))
    return np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


moved = {f"whole_{task}": [linear_cka(*pair) for pair in zip(*whole[task])] for task in tests} | {"alone": []}
(x, y), (x_val, y_val), (x_test, y_test) = draw("far", seeds[-1])
for k, name in enumerate(STAGES):
    model = pretrained_after(k, [k], heads["far"])
    train(model, FINE_TUNE_RATE, x[k], y, x_val[k], y_val)
    after = averages_after(model, k, x_test[k])[0]
    moved["alone"].append(linear_cka(whole["far"][0][k], after))
    print(f"{name:>8}: {percent(np.mean(answers_of(model, x_test[k]) == y_test))}")

# %%
ax = plots.new_axes(None, 6, 3)
plot_over_stages(ax, moved, "CKA")
ax.legend(frameon=False)
claim("changes_pile_up", moved["alone"][4] - moved["whole_far"][4])

# %% [markdown] lang="en"
# *Likeness of each stage's features before and after fine-tuning, on test pictures; 1 means no change. Solid: the whole
# network was tuned for digits; dash-dotted: for breeds. Dashed: for digits, and only that stage was tuned. The lines of
# text give the test accuracy where one stage alone was tuned.*
#
# The solid line says that the last stage changes most. The dashed one says how much of that is its own doing: a part
# only. The rest of its change it inherits from the stages before. In seven runs of ours, five in PyTorch and two in
# TensorFlow, its CKA was 0.79 to 0.88 in company and 0.90 to 0.96 alone. Alone, too, it changed most of the five stages
# in each run. So the curve of a network tuned as a whole, which one finds in many papers, is no list of which layers
# have learnt how much. Alone, a stage may also move *further* than in company, as it has to do all the work.
#
# Compare the accuracies with those of section 6. Tuned alone, the last stage does about as well as the network that was
# tuned as a whole. It is the very stage that section 6 found to be specific. The others help less; but with one seed
# and 300 test pictures a difference of three points means little.
#
# Mind the size of such numbers. They belong to this training, with this [learning
# rate](../../docs/glossary.md#learning-rate): a lower one moves every stage less. And they say what *changes*, not what
# *matters*. For what matters, freeze and measure, as in section 6.
#
# ## What you can do now
#
# - Show filters, take maps out of any layer, and turn them into features. These are **averages** over positions: they
#   say how much, not where.
# - Compute a receptive field. It is a property of the architecture; how the field is used is learnt.
# - Probe each layer, with the same number of features and an untrained twin beside it. On drawn breeds the late stages
#   were the best, and that was learnt. On digits the stem did as well, once its places were kept, and the twin almost
#   as well as the trained network. Blur was read best in an early stage.
# - Copy, freeze and train the rest. Here all stages but the last proved general; the last one was specific.
# - Tell a stage's own change from what it inherits.
#
# All this was measured with small networks, on drawn pets and scanned digits. With a larger network and real photos
# Yosinski et al. found the same direction: frozen layers cost more the further the tasks lie apart, and late layers
# most. Even from a distant task they were better than random ones. Your own task may differ; you have the tools to find
# out.
#
# This lesson took `load_network` from [the toolbox](../../docs/toolbox.md), and in PyTorch also `fit`, `predict`,
# `freeze` and `ImageDataset`. It added nothing to it.
#
# ## Check yourself

# %% [markdown] lang="es"
# *Parecido entre las características de cada etapa antes y después del ajuste fino, con imágenes de prueba; 1 significa
# que no cambia nada. Línea continua: se ajustó la red entera para las cifras; raya y punto: para las razas. Rayas: para
# las cifras, y solo se ajustó esa etapa. Las líneas de texto dan la exactitud en la prueba cuando se ajusta una sola
# etapa.*
#
# La línea continua dice que la última etapa es la que más cambia. La de rayas dice cuánto de ese cambio es obra suya:
# solo una parte. El resto lo hereda de las etapas anteriores. En siete ejecuciones nuestras, cinco en PyTorch y dos en
# TensorFlow, su CKA fue de 0.79 a 0.88 acompañada y de 0.90 a 0.96 sola. También sola fue la que más cambió de las
# cinco. Así que la curva de una red ajustada entera, que se encuentra en muchos artículos, no es una lista de cuánto ha
# aprendido cada capa. Además, una etapa sola puede moverse *más* que acompañada, porque tiene que hacer todo el
# trabajo.
#
# Compare las exactitudes con las de la sección 6. La última etapa, ajustada sola, acierta más o menos lo mismo que la
# red ajustada entera. Es precisamente la que la sección 6 señaló como específica. Ajustar otra ayuda menos; pero con
# una sola semilla y 300 imágenes de prueba, una diferencia de tres puntos significa poco.
#
# Cuidado con el tamaño de estos números. Son de este entrenamiento, con esta [tasa de
# aprendizaje](../../docs/glosario.md#tasa-de-aprendizaje): con una menor, todas las etapas se mueven menos. Y dicen qué
# *cambia*, no qué *importa*. Para saber qué importa, congele y mida, como en la sección 6.
#
# ## Lo que ya sabe hacer
#
# - Mostrar filtros, sacar mapas de cualquier capa y convertirlos en características. Estas son **promedios** de todas
#   las posiciones: dicen cuánto, no dónde.
# - Calcular un campo receptivo. Es una propiedad de la arquitectura; lo que se aprende es a usarlo.
# - Sondear cada capa, con el mismo número de características y con una gemela sin entrenar al lado. Con las razas
#   dibujadas, las últimas etapas fueron las mejores, y eso se había aprendido. Con las cifras, el *stem* acertó lo
#   mismo en cuanto se conservaron los lugares, y la gemela casi tanto como la red entrenada. El desenfoque se leyó
#   mejor en una etapa del principio.
# - Copiar, congelar y entrenar el resto. Aquí todas las etapas menos la última resultaron generales; la última fue
#   específica.
# - Distinguir lo que una etapa cambia por sí misma de lo que hereda.
#
# Todo esto se ha medido con redes pequeñas, con mascotas dibujadas y cifras escaneadas. Con una red mayor y fotos
# reales, Yosinski et al. encontraron lo mismo a grandes rasgos: las capas congeladas cuestan más cuanto más lejos está
# una tarea de la otra, y sobre todo las últimas. Incluso las de una tarea lejana fueron mejores que capas al azar. Su
# tarea puede ser distinta; ya tiene las herramientas para averiguarlo.
#
# Esta lección ha tomado `load_network` de [la caja de herramientas](../../docs/caja_de_herramientas.md), y en PyTorch
# también `fit`, `predict`, `freeze` e `ImageDataset`. No le ha añadido nada.
#
# ## Compruebe lo aprendido

# %%
show_quiz("02a_what_layers_know/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - M. D. Zeiler and R. Fergus, "Visualizing and understanding convolutional networks", *ECCV* 2014: what excites a
#   channel.
# - J. Yosinski, J. Clune, Y. Bengio and H. Lipson, "How transferable are features in deep neural networks?", *NeurIPS*
#   2014: the experiment of section 6.
# - G. Alain and Y. Bengio, "Understanding intermediate layers using linear classifier probes", *ICLR Workshop* 2017.
# - S. Kornblith, M. Norouzi, H. Lee and G. Hinton, "Similarity of neural network representations revisited", *ICML*
#   2019: CKA.
# - Y. Lee, A. S. Chen, F. Tajwar, A. Kumar, H. Yao, P. Liang and C. Finn, "Surgical fine-tuning improves adaptation to
#   distribution shifts", *ICLR* 2023: tuning one stage alone, and which.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - M. D. Zeiler y R. Fergus, «Visualizing and understanding convolutional networks», *ECCV* 2014: qué excita a un
#   canal.
# - J. Yosinski, J. Clune, Y. Bengio y H. Lipson, «How transferable are features in deep neural networks?», *NeurIPS*
#   2014: el experimento de la sección 6.
# - G. Alain e Y. Bengio, «Understanding intermediate layers using linear classifier probes», *ICLR Workshop* 2017.
# - S. Kornblith, M. Norouzi, H. Lee y G. Hinton, «Similarity of neural network representations revisited», *ICML* 2019:
#   CKA.
# - Y. Lee, A. S. Chen, F. Tajwar, A. Kumar, H. Yao, P. Liang y C. Finn, «Surgical fine-tuning improves adaptation to
#   distribution shifts», *ICLR* 2023: ajustar una sola etapa, y cuál.
