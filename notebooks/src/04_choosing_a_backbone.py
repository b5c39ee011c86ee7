# %% [markdown] lang="en"
# # Choosing a backbone: what does accuracy cost?
#
# **{Framework}** · about 45 minutes · before this: [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# There are hundreds of pretrained networks. Lists of them are sorted by accuracy, and someone has to pay for it: with
# milliseconds, megabytes or electricity. After this lesson you can
#
# - say what a network costs in five numbers, and **measure** them on your own machine;
# - count the work of a convolution by hand, and say why MobileNet needs so little;
# - say what such a count promises and what the clock then shows;
# - compare backbones on your own data, with few labels, and with intervals;
# - choose one for a phone, a laptop or a server, and check whether you may use its weights.

# %% [markdown] lang="es"
# # Elegir una red base: ¿cuánto cuesta la exactitud?
#
# **{Framework}** · unos 45 minutos · antes: [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# Hay cientos de redes preentrenadas. Las listas las ordenan por exactitud, y esa exactitud alguien tiene que pagarla:
# con milisegundos, con megabytes o con electricidad. Al terminar podrá
#
# - decir con cinco números lo que cuesta una red, y **medirlos** en su propio equipo;
# - contar a mano el trabajo de una convolución y explicar por qué MobileNet necesita tan poco;
# - decir qué promete esa cuenta y qué muestra después el reloj;
# - comparar redes base con sus propios datos, con pocas etiquetas y con intervalos;
# - elegir una para un teléfono, un portátil o un servidor, y comprobar si puede usar sus pesos.

# %% tags=["parameters"]
LANGUAGE = "en"  # of the figures: "en" or "es"
SEED = 0
DATASET = "drawn_pets"  # or "drawn_pets_breeds", "cats_vs_dogs", a folder with one sub-folder a class
BACKBONE = "mini_resnet"  # or "mobilenet", "resnet50", ...
IMAGE_SIZE = 64  # side of the images for that backbone, in pixels
MORE_BACKBONES = ""  # others to measure, such as "resnet18, timm/vit_tiny_patch16_224" (both PyTorch only)
BATCH_SIZE = 4  # images at a time for the throughput; on a GPU take 64
REPEATS = 5  # how often each time is measured, at most; the median counts
LABELS_A_CLASS = 10  # labelled training images of each class
SEEDS = 5  # how often the labelled images are drawn anew
ROUNDS = 8  # of the race in section 4

# %%
# %matplotlib inline
from functools import partial

import numpy as np

from tlhelpers.legacy import metrics as evaluation
from tlhelpers.legacy import cost_plots
from tlhelpers.claims import claim, record_result
from tlhelpers.legacy.costs import convolution_multiply_adds, fastest_in_turns, on_the_front, within_budget
from tlhelpers.data.datasets import load_splits
from tlhelpers.quiz import show_quiz

POINTS = {"en": "points", "es": "puntos"}[LANGUAGE]  # differences of percentages
TIMES = {"en": "times", "es": "veces"}[LANGUAGE]
show_quiz("04_choosing_a_backbone/before", LANGUAGE)

# %% framework="pytorch"
import torch

from tlhelpers.legacy.pytorch import extract_features, load_backbone, set_seed
from tlhelpers.legacy.pytorch.backbones import weights_at_hand
from tlhelpers.legacy.pytorch.costs import count_multiply_adds, measure_cost, published_facts
from tlhelpers.legacy.pytorch.precision import default_device

ON_A_PROCESSOR = default_device().type == "cpu"
threads = torch.get_num_threads()

# %% framework="tensorflow"
import os

from tlhelpers.legacy.tensorflow import extract_features, load_backbone, set_seed
from tlhelpers.legacy.tensorflow.backbones import weights_at_hand
from tlhelpers.legacy.tensorflow.costs import count_multiply_adds, measure_cost, published_facts

import tensorflow as tf  # after tlhelpers.legacy.tensorflow, which silences its start  # isort: skip

ON_A_PROCESSOR = not tf.config.list_physical_devices("GPU")
threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count()

# %% [markdown] lang="en"
# ## 1. What does a network cost?
#
# Five numbers say most of it.
#
# | number | what it is | who cares |
# | --- | --- | --- |
# | **[parameters](../../docs/glossary.md#parameter)** | numbers that training sets | whoever trains: memory |
# | **[multiply-adds](../../docs/glossary.md#multiply-adds)** | multiplications, each with an addition, for one image | whoever pays for electricity |
# | **size** | of the weights on disk, in megabytes (MB) | whoever downloads the app |
# | **[latency](../../docs/glossary.md#latency)** | time for one image, in milliseconds (ms) | whoever waits for the answer |
# | **[throughput](../../docs/glossary.md#throughput)** | images a second, many at a time | whoever has a million photos |
#
# The first three belong to the network. The last two belong to the network *and* the machine: they have to be measured
# where it will run.
#
# Let us measure the embedded [backbone](../../docs/glossary.md#backbone).

# %% [markdown] lang="es"
# ## 1. ¿Cuánto cuesta una red?
#
# Cinco números lo dicen casi todo.
#
# | número | qué es | a quién le importa |
# | --- | --- | --- |
# | **[parámetros](../../docs/glosario.md#parámetro)** | números que fija el entrenamiento | a quien entrena: memoria |
# | **[multiplicaciones-sumas](../../docs/glosario.md#multiplicaciones-y-sumas)** | multiplicaciones, cada una con su suma, por imagen | a quien paga la electricidad |
# | **tamaño** | de los pesos en el disco, en megabytes (MB) | a quien descarga la aplicación |
# | **[latencia](../../docs/glosario.md#latencia)** | tiempo para una imagen, en milisegundos (ms) | a quien espera la respuesta |
# | **[rendimiento](../../docs/glosario.md#rendimiento)** | imágenes por segundo, muchas a la vez | a quien tiene un millón de fotos |
#
# Los tres primeros son de la red. Los dos últimos son de la red *y* del equipo: hay que medirlos donde vaya a funcionar.
#
# Midamos la [red base](../../docs/glosario.md#red-base) incluida en el curso.

# %%
trained = measure_cost(load_backbone("mini_resnet"), batch_size=64, repeats=20)
print(cost_plots.format_costs({"mini_resnet": trained}, {}, language=LANGUAGE))
where = ("CPU" if ON_A_PROCESSOR else "GPU", threads)
print({"en": "\nMeasured on: {}, {} threads", "es": "\nMedido en: {}, {} hilos"}[LANGUAGE].format(*where))

# %% [markdown] lang="en"
# The time is a **median** of several calls, since another program may disturb one of them. The first call is thrown
# away: it also chooses algorithms and fills caches.
#
# ### The work of a convolution, by hand
#
# A convolution gives $H \times W$ outputs in each of $C_\text{out}$ channels. Each output looks at a window of
# $k \times k$ places in all $C_\text{in}$ input channels, and each of these numbers is multiplied and added once:
#
# $$\text{multiply-adds} = H \cdot W \cdot C_\text{out} \cdot k^2 \cdot C_\text{in}$$
#
# `mini_resnet` is small enough to add up all its convolutions. Does the counter, which watches the network run, come to
# the same number?

# %% [markdown] lang="es"
# El tiempo es la **mediana** de varias llamadas, porque otro programa puede estorbar alguna. La primera se descarta:
# también elige algoritmos y llena memorias intermedias.
#
# ### El trabajo de una convolución, a mano
#
# Una convolución da $H \times W$ salidas en cada uno de sus $C_\text{out}$ canales. Cada salida mira una ventana de
# $k \times k$ lugares en los $C_\text{in}$ canales de entrada, y cada uno de esos números se multiplica y se suma una
# vez:
#
# $$\text{multiplicaciones-sumas} = H \cdot W \cdot C_\text{out} \cdot k^2 \cdot C_\text{in}$$
#
# `mini_resnet` es lo bastante pequeña para sumar todas sus convoluciones. ¿Llega al mismo número el contador, que
# observa la red mientras funciona?

# %% tags=["nbval-check-output"]
side = 64 // 2  # the first convolution has stride 2: it halves the side
by_hand = convolution_multiply_adds(3, 32, kernel=3, out_height=side, out_width=side)
for ins, outs, stride in ((32, 32, 1), (32, 64, 2), (64, 128, 2), (128, 256, 2)):  # the four stages
    side //= stride
    by_hand += convolution_multiply_adds(ins, outs, 3, side, side) + convolution_multiply_adds(
        outs, outs, 3, side, side
    )
    if ins != outs:  # the shortcut is a 1x1 convolution where the shape changes
        by_hand += convolution_multiply_adds(ins, outs, 1, side, side)
print(f"{by_hand:,}", f"{trained.multiply_adds:,}")

# %%
claim(
    "counter_agrees_with_formula",
    trained.multiply_adds / by_hand,
    en="The counted multiply-adds of mini_resnet are those of the formula",
    es="Las multiplicaciones-sumas contadas de mini_resnet son las de la fórmula",
    at_least=0.999,
    at_most=1.001,
    unit=TIMES,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# **Beware of the word FLOPs.** Some count a multiplication and its addition as one operation, others as two. PyTorch's and
# TensorFlow's own counters say two; most papers on networks for images say one, and call it FLOPs all the same. Here we
# always count multiply-adds: one.
#
# ### Why MobileNet needs so little
#
# MobileNet splits a convolution in two: first one $k \times k$ filter for each channel on its own
# (**[depthwise](../../docs/glossary.md#depthwise-convolution)**), then a $1 \times 1$ convolution that mixes the
# channels. How much does that save, for 256 channels on a map of 14 × 14?

# %% [markdown] lang="es"
# **Cuidado con la palabra FLOPs.** Unos cuentan una multiplicación y su suma como una operación; otros, como dos. Los
# contadores de PyTorch y de TensorFlow dicen dos; la mayoría de los artículos sobre redes para imágenes dicen una, y
# aun así la llaman FLOPs. Aquí contamos siempre multiplicaciones-sumas: una.
#
# ### Por qué MobileNet necesita tan poco
#
# MobileNet divide la convolución en dos: primero un filtro de $k \times k$ para cada canal por separado
# (**[en profundidad](../../docs/glosario.md#convolución-en-profundidad)**, *depthwise*); después, una convolución de
# $1 \times 1$ que mezcla los canales. ¿Cuánto ahorra eso con 256 canales en un mapa de 14 × 14?

# %%
whole = convolution_multiply_adds(256, 256, 3, 14, 14)
depthwise = convolution_multiply_adds(256, 256, 3, 14, 14, groups=256)
pointwise = convolution_multiply_adds(256, 256, 1, 14, 14)
print(f"3×3: {whole / 1e6:.1f} M;  depthwise: {depthwise / 1e6:.1f} M + 1×1: {pointwise / 1e6:.1f} M")
claim(
    "depthwise_saves_work",
    whole / (depthwise + pointwise),
    en="Split in two, the convolution needs less than an eighth of the multiply-adds",
    es="Dividida en dos, la convolución necesita menos de un octavo de las multiplicaciones-sumas",
    at_least=8,
    unit=TIMES,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ### Larger pictures
#
# The formula has $H \cdot W$ in it. So what does it cost to double the side of the image? Guess before you run the cell.

# %% [markdown] lang="es"
# ### Imágenes más grandes
#
# En la fórmula está $H \cdot W$. Entonces, ¿cuánto cuesta duplicar el lado de la imagen? Apueste antes de ejecutar la
# celda.

# %%
sides = (32, 64, 128)
work = [count_multiply_adds(load_backbone("mini_resnet", image_size=side)) for side in sides]
print({f"{side} px": f"{count / 1e6:.0f} M" for side, count in zip(sides, work)})
claim(
    "twice_the_side_four_times_the_work",
    work[2] / work[1],
    en="An image of twice the side costs four times the multiply-adds",
    es="Una imagen del doble de lado cuesta el cuádruple de multiplicaciones-sumas",
    at_least=3.9,
    at_most=4.1,
    unit=TIMES,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ## 2. Do the weights matter for the cost?
#
# The well-known networks are downloads of 10 to 500 MB. Perhaps you have no network connection. Can we measure what
# they cost with **random** weights? The multiplications are the same, whatever the numbers. Let us check it with the
# one network of which we have both.

# %% [markdown] lang="es"
# ## 2. ¿Importan los pesos para el coste?
#
# Las redes conocidas son descargas de 10 a 500 MB. Quizá usted no tenga conexión. ¿Podemos medir lo que cuestan con
# pesos **al azar**? Las multiplicaciones son las mismas, sean cuales sean los números. Comprobémoslo con la red de la
# que tenemos ambos.

# %%
set_seed(SEED)
TRAINED, UNTRAINED = {"en": ("trained", "random"), "es": ("entrenada", "al azar")}[LANGUAGE]
pair = {TRAINED: load_backbone("mini_resnet"), UNTRAINED: load_backbone("mini_resnet", weights="random")}
untrained = measure_cost(pair[UNTRAINED], batch_size=64, repeats=20)


def race(networks, rounds):
    """Milliseconds for one image: the networks take turns, and the least disturbed call of each counts."""
    sizes = {name: (1, network.input_size, network.input_size, 3) for name, network in networks.items()}
    calls = {
        name: partial(extract_features, network, np.zeros(sizes[name], np.uint8), cache=False)
        for name, network in networks.items()
    }
    return {name: 1000 * seconds for name, seconds in fastest_in_turns(calls, rounds=rounds).items()}


fastest = race(pair, rounds=60)
print({name: f"{value:.2f} ms" for name, value in fastest.items()})

# %%
claim(
    "random_weights_cost_the_same_work",
    untrained.multiply_adds / trained.multiply_adds,
    en="With random weights the network needs exactly the same multiply-adds",
    es="Con pesos al azar la red necesita exactamente las mismas multiplicaciones-sumas",
    at_least=1,
    at_most=1,
    unit=TIMES,
    language=LANGUAGE,
)
claim(
    "random_weights_cost_the_same_time",
    max(fastest.values()) / min(fastest.values()),
    en="The times with random and with trained weights differ by less than a factor of two",
    es="Los tiempos con pesos al azar y con pesos entrenados difieren en menos de un factor dos",
    at_most=2,
    unit=TIMES,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# So cost can be measured truly without a single download. Accuracy cannot: a network with random weights has none worth
# naming. In the tables below, an accuracy that nobody has published for these weights stays **blank**.
#
# ## 3. The well-known networks, on this machine
#
# - **VGG-16** (2014): thirteen convolutions of 3 × 3, one after the other, nothing else.
# - **ResNet-50** (2015): shortcuts around its blocks, so that it can be deep; 1 × 1 convolutions make it slim.
# - **MobileNet** (2017) and **MobileNetV2** (2018): depthwise convolutions.
# - **EfficientNet-B0** (2019): found by a search for the best accuracy at little work.
# - **ViT-B/16** (2020): no convolutions; the image is cut into patches of 16 × 16 pixels, and **attention** lets every
#   patch look at every other.
# - **mini_resnet** and its narrow sister: what travels with this course, for pictures of 64 px; all others take 224 px.
#
# All are measured **without their heads**, as backbones for transfer learning.

# %% [markdown] lang="es"
# Así que el coste se puede medir de verdad sin descargar nada. La exactitud, no: una red con pesos al azar no tiene
# ninguna que merezca ese nombre. En las tablas que siguen, una exactitud que nadie ha publicado para esos pesos queda
# **en blanco**.
#
# ## 3. Las redes conocidas, en este equipo
#
# - **VGG-16** (2014): trece convoluciones de 3 × 3, una tras otra, y nada más.
# - **ResNet-50** (2015): atajos alrededor de sus bloques, para poder ser profunda; convoluciones de 1 × 1 la adelgazan.
# - **MobileNet** (2017) y **MobileNetV2** (2018): convoluciones en profundidad.
# - **EfficientNet-B0** (2019): hallada al buscar la mejor exactitud con poco trabajo.
# - **ViT-B/16** (2020): sin convoluciones; la imagen se corta en parches de 16 × 16 píxeles, y la **atención** permite
#   que cada parche mire a todos los demás.
# - **mini_resnet** y su hermana estrecha: las que acompañan al curso, para imágenes de 64 px; todas las demás, de 224 px.
#
# Todas se miden **sin sus cabezas**, como redes base para la transferencia.

# %% [markdown] lang="en" framework="pytorch"
# The networks come from torchvision; MobileNet v1 comes from timm, which has hundreds more: any of them is
# `"timm/NAME"`, for example in `MORE_BACKBONES`.

# %% [markdown] lang="es" framework="pytorch"
# Las redes vienen de torchvision; MobileNet v1 viene de timm, que tiene cientos más: cualquiera de ellas es
# `"timm/NOMBRE"`, por ejemplo en `MORE_BACKBONES`.

# %% [markdown] lang="en" framework="tensorflow"
# The networks come from Keras's applications, except one: they have **no vision transformer**. Ours is built of Keras's
# layers with the sizes of ViT-B/16, so its cost is measured like the others'; but there are no published weights for it,
# and its accuracy stays blank. For a pretrained ViT in Keras, take the package KerasHub, or PyTorch.

# %% [markdown] lang="es" framework="tensorflow"
# Las redes vienen de las aplicaciones de Keras, menos una: allí **no hay ningún transformador de visión**. El nuestro
# está hecho con capas de Keras y los tamaños de ViT-B/16, así que su coste se mide como el de las demás; pero no hay
# pesos publicados para él, y su exactitud queda en blanco. Si necesita un ViT preentrenado en Keras, use el paquete
# KerasHub, o bien PyTorch.

# %%
FAMOUS = ("mobilenet", "mobilenet_v2", "efficientnet_b0", "resnet50", "vgg16", "vit_b_16")
more = [name.strip() for name in MORE_BACKBONES.split(",") if name.strip()]
costs, networks = {}, {}
for name in dict.fromkeys(["mini_resnet_narrow", "mini_resnet", *FAMOUS, *more, BACKBONE]):
    network = load_backbone(name, weights="random")  # costs what the trained one costs
    costs[name] = measure_cost(network, batch_size=BATCH_SIZE, repeats=REPEATS)
    if name in ("mobilenet_v2", "efficientnet_b0", "resnet50", "vgg16"):
        networks[name] = network  # for a race
facts = {name: published_facts(name) for name in costs}
top1 = {name: facts[name].top1 for name in costs}
print(cost_plots.format_costs(costs, top1, language=LANGUAGE))

# %% [markdown] lang="en"
# *What each backbone costs here. The last column is not measured here: it is the accuracy on ImageNet's 1,000 classes
# that the publishers of the weights state for the network with its head (**top-1**: the most probable class is the
# right one).*
#
# Look at the two columns **parameters** and **multiply-adds** for `vgg16` and `resnet50`. Does something surprise you?
#
# VGG-16 is known as a giant. As a whole network it is. But nearly all of its parameters sit in its head, and transfer
# learning throws the head away. What stays is smaller than ResNet-50, and still does far more work: a few filters,
# used at very many places.

# %% [markdown] lang="es"
# *Lo que cuesta aquí cada red base. La última columna no se mide aquí: es la exactitud en las 1000 clases de ImageNet
# que declaran quienes publican los pesos, para la red con su cabeza (**top-1**: la clase más probable es la correcta).*
#
# Mire las columnas de **parámetros** y de **multiplicaciones-sumas** de `vgg16` y `resnet50`. ¿Le sorprende algo?
#
# VGG-16 tiene fama de gigante. Como red entera lo es. Pero casi todos sus parámetros están en la cabeza, y la
# transferencia descarta la cabeza. Lo que queda es más pequeño que ResNet-50 y, aun así, trabaja mucho más: unos pocos
# filtros, usados en muchísimos lugares.

# %%
vgg, resnet, mobile = costs["vgg16"], costs["resnet50"], costs["mobilenet_v2"]
claim(
    "vgg_backbone_has_fewer_parameters",
    vgg.parameters / resnet.parameters,
    en="Without its head, VGG-16 has less than 0.7 times the parameters of ResNet-50",
    es="Sin su cabeza, VGG-16 tiene menos de 0,7 veces los parámetros de ResNet-50",
    at_most=0.7,
    unit=TIMES,
    language=LANGUAGE,
)
claim(
    "vgg_needs_more_work",
    vgg.multiply_adds / resnet.multiply_adds,
    en="Yet it needs at least three times the multiply-adds",
    es="Y, sin embargo, necesita al menos el triple de multiplicaciones-sumas",
    at_least=3,
    unit=TIMES,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# **Exercise 1.** VGG-16's head has three dense layers: from 25,088 numbers (7 × 7 places of 512 channels) to 4,096, from
# 4,096 to 4,096, and from 4,096 to 1,000 classes. A dense layer from $a$ to $b$ numbers has $a \cdot b$ weights and $b$
# biases. How many **million** parameters does the head have?

# %% [markdown] lang="es"
# **Ejercicio 1.** La cabeza de VGG-16 tiene tres capas densas: de 25 088 números (7 × 7 lugares de 512 canales) a 4096,
# de 4096 a 4096, y de 4096 a 1000 clases. Una capa densa de $a$ a $b$ números tiene $a \cdot b$ pesos y $b$ sesgos.
# ¿Cuántos **millones** de parámetros tiene la cabeza?

# %%
my_answer = None  # millions of parameters


def check_head(answer):
    if answer is None:
        print({"en": "Set my_answer and run the cell again.", "es": "Fije my_answer y ejecute de nuevo."}[LANGUAGE])
        return False
    millions = answer / 1e6 if answer > 1e6 else answer
    right = abs(millions - 123.64) < 0.5
    hint = {"en": "Add a·b + b for the three layers, then divide by a million.",
            "es": "Sume a·b + b de las tres capas y divida por un millón."}[LANGUAGE]  # fmt: skip
    print(f"✔ {millions:.2f} M + {vgg.parameters / 1e6:.2f} M" if right else f"✘ {hint}")
    return right


solved = check_head(my_answer)

# %% tags=["solution"]
layers = ((25_088, 4_096), (4_096, 4_096), (4_096, 1_000))
my_answer = sum(a * b + b for a, b in layers) / 1e6
assert check_head(my_answer)

# %% [markdown] lang="en"
# The sum is the figure of 138 million that texts give for VGG-16. They mean the whole network. For a backbone, it is
# the wrong number to look at.
#
# ## 4. Does less work mean less time?
#
# Multiply-adds are in every paper, since they need no stopwatch. But do they say how long you wait? If so, all networks
# would lie on one line.

# %% [markdown] lang="es"
# La suma es la cifra de 138 millones que los textos dan para VGG-16. Se refieren a la red entera. Para una red base, es
# el número equivocado.
#
# ## 4. ¿Menos trabajo significa menos tiempo?
#
# Las multiplicaciones-sumas aparecen en todos los artículos, porque no necesitan cronómetro. Pero ¿dicen cuánto hay que
# esperar? Si fuera así, todas las redes estarían en una misma línea.

# %%
ax = cost_plots.plot_latency_over_multiply_adds(costs, language=LANGUAGE)

# %% [markdown] lang="en"
# *Latency against multiply-adds, both on logarithmic scales. Along each grey line, every multiply-add takes the same time;
# the lower line is the faster one. A network that lies high gets less done in a second.*
#
# The depthwise convolutions of MobileNet and EfficientNet do little with each number that they fetch from memory. So the
# processor waits for memory, and a multiply-add takes longer than in VGG-16, which uses each number again and again.
#
# To be fair, let four of them race: they take turns, image by image, so that whatever else this machine does disturbs all
# alike. The fastest call of each counts.

# %% [markdown] lang="es"
# *Latencia frente a multiplicaciones-sumas, ambas en escala logarítmica. A lo largo de cada línea gris, cada
# multiplicación-suma tarda lo mismo; la línea inferior es la más rápida. Una red que queda arriba hace menos por
# segundo.*
#
# Las convoluciones en profundidad de MobileNet y EfficientNet hacen poco con cada número que traen de la memoria. Así
# que el procesador espera a la memoria, y una multiplicación-suma tarda más que en VGG-16, que usa cada número una y
# otra vez.
#
# Para ser justos, hagamos competir a cuatro de ellas: se turnan, imagen a imagen, de modo que lo que haga el equipo
# mientras tanto estorbe a todas por igual. De cada una cuenta la llamada más rápida.

# %%
raced = race(networks, ROUNDS)
rates = {name: costs[name].multiply_adds / 1e6 / raced[name] for name in raced}  # G a second
for name in sorted(raced, key=raced.get):
    print(f"{name:16} {costs[name].multiply_adds / 1e9:7.2f} G {raced[name]:8.1f} ms {rates[name]:8.1f} G/s")
promised = resnet.multiply_adds / mobile.multiply_adds
kept = raced["resnet50"] / raced["mobilenet_v2"]
print({"en": "MobileNetV2 against ResNet-50: {:.1f} times less work, {:.1f} times less time",
       "es": "MobileNetV2 frente a ResNet-50: {:.1f} veces menos trabajo, {:.1f} veces menos tiempo"}[LANGUAGE]
      .format(promised, kept))  # fmt: skip
del networks

# %%
if ON_A_PROCESSOR:  # a graphics card has other bottlenecks, and another order
    claim(
        "work_does_not_predict_time",
        max(rates.values()) / min(rates.values()),
        en="A multiply-add takes at least 1.5 times as long in one network as in another",
        es="Una multiplicación-suma tarda en una red al menos 1,5 veces más que en otra",
        at_least=1.5,
        unit=TIMES,
        language=LANGUAGE,
    )
    claim(
        "mobilenet_keeps_part_of_its_promise",
        kept / promised,
        en="MobileNetV2 is faster than ResNet-50 by at most 0.9 of the factor that its multiply-adds promise",
        es="MobileNetV2 es más rápida que ResNet-50, pero a lo sumo 0,9 del factor que prometen sus cuentas",
        at_most=0.9,
        unit=TIMES,
        language=LANGUAGE,
    )
    claim(
        "small_network_is_faster_all_the_same",
        kept,
        en="MobileNetV2 still answers in less than half the time of ResNet-50",
        es="Aun así, MobileNetV2 responde en menos de la mitad del tiempo de ResNet-50",
        at_least=2,
        unit=TIMES,
        language=LANGUAGE,
    )

# %% [markdown] lang="en"
# So multiply-adds sort networks roughly, where the factors are large. Where they are small, they promise little: measure.
#
# ### One at a time, or many?
#
# Texts say that a large **batch** (many images at a time) is more efficient. On a graphics card it is, since thousands of
# its parts would otherwise stand idle. Is it so here? The number tells how many times more images a second get done in
# a batch than one after the other.

# %% [markdown] lang="es"
# Así que las multiplicaciones-sumas ordenan las redes a grandes rasgos, cuando los factores son grandes. Cuando son
# pequeños, prometen poco: mida.
#
# ### ¿De una en una o muchas a la vez?
#
# Los textos dicen que un **lote** (*batch*) grande, muchas imágenes a la vez, es más eficiente. En una tarjeta gráfica lo
# es, porque si no miles de sus unidades estarían ociosas. ¿Y aquí? El número dice cuántas veces más imágenes por segundo se
# procesan en un lote que una tras otra.

# %%
gains = {name: cost.images_per_second * cost.latency_ms / 1000 for name, cost in costs.items()}
print({"en": f"batch of {BATCH_SIZE}:", "es": f"lote de {BATCH_SIZE}:"}[LANGUAGE])
print("\n".join(f"{name:20} ×{gain:.2f}" for name, gain in gains.items()))

# %% [markdown] lang="en"
# Where the factor is near 1 or below, the processor had enough to do with a single image. Then a batch is no help, and
# makes everyone wait for the last one.
#
# **Exercise 2.** A camera delivers 25 images a second, and each has to be answered before the next one comes. Which of
# the backbones keep up **on this machine**? Put their names into a list. (Let the computer do it: `costs[name]` has the
# numbers, `.latency_ms` among them.)

# %% [markdown] lang="es"
# Donde el factor está cerca de 1 o por debajo, el procesador ya tenía bastante con una sola imagen. Entonces un lote no
# ayuda, y hace que todas esperen a la última.
#
# **Ejercicio 2.** Una cámara entrega 25 imágenes por segundo, y hay que responder a cada una antes de que llegue la
# siguiente. ¿Qué redes base dan abasto **en este equipo**? Ponga sus nombres en una lista. (Deje que lo haga el
# ordenador: `costs[nombre]` tiene los números, entre ellos `.latency_ms`.)

# %%
my_answer = None  # a list of names


def check_camera(answer):
    if answer is None:
        print({"en": "Set my_answer and run the cell again.", "es": "Fije my_answer y ejecute de nuevo."}[LANGUAGE])
        return False
    wrong = set(answer) ^ set(within_budget(costs, latency_ms=1000 / 25))
    hint = {"en": "25 images a second leave 1000/25 ms for each. Look again at:",
            "es": "25 imágenes por segundo dejan 1000/25 ms para cada una. Revise:"}[LANGUAGE]  # fmt: skip
    print(f"✘ {hint} {', '.join(sorted(wrong))}" if wrong else f"✔ {', '.join(answer)}")
    return not wrong


solved = check_camera(my_answer)

# %% tags=["solution"]
my_answer = [name for name, cost in costs.items() if cost.latency_ms <= 1000 / 25]
assert check_camera(my_answer)

# %% [markdown] lang="en"
# ## 5. What do you get for the cost?
#
# Now both axes: published accuracy upwards, measured latency to the right. The best place is the upper left.

# %% [markdown] lang="es"
# ## 5. ¿Qué se obtiene por ese coste?
#
# Ahora, ambos ejes: la exactitud publicada hacia arriba, la latencia medida hacia la derecha. El mejor lugar es arriba a
# la izquierda.

# %%
ax = cost_plots.plot_accuracy_over_cost(
    costs, top1, ylabel={"en": "Published ImageNet top-1 (%)", "es": "ImageNet top-1 publicado (%)"}[LANGUAGE],
    language=LANGUAGE,
)  # fmt: skip
sources = sorted({fact.top1_source for fact in facts.values() if fact.top1_source})
print("\n".join(sources))

# %% [markdown] lang="en"
# *Published top-1 accuracy over the latency on this machine (logarithmic scale). The dashed line joins the networks that
# no other beats in both; whoever lies below it can be replaced by something better or faster. Open marks at the foot:
# networks without a published ImageNet accuracy, only their cost is known. The sources of the accuracies are printed
# above the figure.*
#
# The dashed line is called the **[Pareto front](../../docs/glossary.md#pareto-front)**. Choose from it; anything else is
# a gift to nobody. VGG-16 is still in many tutorials. Does anything speak for it?

# %% [markdown] lang="es"
# *Exactitud top-1 publicada frente a la latencia en este equipo (escala logarítmica). La línea discontinua une las redes
# que ninguna otra supera en ambas cosas; lo que queda por debajo se puede cambiar por algo mejor o más rápido. Las marcas
# huecas del pie son redes sin exactitud publicada en ImageNet: solo se conoce su coste. Las fuentes de las exactitudes
# están escritas encima de la figura.*
#
# La línea discontinua se llama **[frente de Pareto](../../docs/glosario.md#frente-de-pareto)**. Elija de ahí; lo demás no
# beneficia a nadie. VGG-16 sigue en muchos tutoriales. ¿Hay algo a su favor?

# %%
front = on_the_front(costs, top1)
cheaper_and_better = [
    name for name in FAMOUS
    if (top1[name] or 0) > top1["vgg16"] and costs[name].multiply_adds < vgg.multiply_adds
]  # fmt: skip
print({"en": "On the front:", "es": "En el frente:"}[LANGUAGE], ", ".join(front))
print({"en": "Better than vgg16 with less work:", "es": "Mejores que vgg16 con menos trabajo:"}[LANGUAGE],
      ", ".join(cheaper_and_better))  # fmt: skip
claim(
    "vgg_is_beaten",
    len(cheaper_and_better),
    en="At least two backbones have a higher published accuracy than VGG-16 with fewer multiply-adds",
    es="Al menos dos redes base tienen más exactitud publicada que VGG-16 con menos multiplicaciones-sumas",
    at_least=2,
    language=LANGUAGE,
)
if ON_A_PROCESSOR:
    claim(
        "efficientnet_is_faster_than_vgg",
        raced["vgg16"] / raced["efficientnet_b0"],
        en="One of them, EfficientNet-B0, answers at least three times as fast",
        es="Una de ellas, EfficientNet-B0, responde al menos tres veces más rápido",
        at_least=3,
        unit=TIMES,
        language=LANGUAGE,
    )

# %% [markdown] lang="en"
# ## 6. And on your own data?
#
# ImageNet's accuracy is about ImageNet's photos. Does it order the backbones for *your* task? Often roughly so, says
# Kornblith's study (see below); for your pictures, look yourself. It is cheap: a
# **[linear probe](../../docs/glossary.md#linear-probe)**, a linear classifier on frozen
# [features](../../docs/glossary.md#feature), needs no training of the backbone.
#
# We compare every backbone whose weights are on this machine already (and `BACKBONE`), each at the image size that it
# was trained for. One more comes along for comparison: `mini_resnet` with random weights. It costs what `mini_resnet`
# costs, to the last multiply-add.
#
# The labelled images are drawn several times, for each backbone the same ones. Since we are about to *choose*, we look
# at the validation images. The test images wait.

# %% [markdown] lang="es"
# ## 6. ¿Y con sus propios datos?
#
# La exactitud de ImageNet habla de las fotos de ImageNet. ¿Ordena igual las redes para *su* tarea? A menudo sí, a grandes
# rasgos, dice el estudio de Kornblith (véase abajo); para sus imágenes, compruébelo. Es barato: una
# **[sonda lineal](../../docs/glosario.md#sonda-lineal)**, un clasificador lineal sobre
# [características](../../docs/glosario.md#característica) congeladas, no necesita entrenar la red base.
#
# Comparamos todas las redes base cuyos pesos ya están en este equipo (y `BACKBONE`), cada una con el tamaño de imagen
# para el que se entrenó. Añadimos una para comparar: `mini_resnet` con pesos al azar. Cuesta lo mismo que `mini_resnet`,
# hasta la última multiplicación-suma.
#
# Las imágenes etiquetadas se sortean varias veces, las mismas para cada red. Como vamos a *elegir*, miramos las imágenes
# de validación. Las de prueba esperan.


# %%
def features_of(name, weights="auto"):
    """The three parts at the size that the backbone takes, and features of what is needed of them."""
    set_seed(SEED)
    backbone = load_backbone(name, weights=weights, image_size=IMAGE_SIZE if name == BACKBONE else None)
    data = load_splits(DATASET, image_size=backbone.input_size, seed=SEED, val_fraction=0.2, progress=False)
    draws = [data.train.per_class(LABELS_A_CLASS, seed=draw) for draw in range(SEEDS)]
    train = [extract_features(backbone, few.images, progress=False) for few in draws]
    val = extract_features(backbone, data.val.images, progress=False)
    return backbone, data, draws, train, val


RANDOM = f"mini_resnet, {UNTRAINED}"
at_hand = {name: features_of(name) for name in costs if name == BACKBONE or weights_at_hand(name)}
at_hand[RANDOM] = features_of("mini_resnet", weights="random")
print({name: val.shape for name, (*_, val) in at_hand.items()})


# %%
def right_answers(name, features, labels):
    """For each draw of labelled images, which of the given images the probe got right; shape (draws, images)."""
    _, _, draws, train, _ = at_hand[name]
    answers = [evaluation.linear_probe(x, few.labels, features).argmax(1) for few, x in zip(draws, train)]
    return np.stack(answers) == labels


right = {name: right_answers(name, val, data.val.labels) for name, (_, data, _, _, val) in at_hand.items()}
estimates = {name: evaluation.accuracy_estimate(list(r.mean(1)), r.shape[1]) for name, r in right.items()}
for name, estimate in estimates.items():
    print(f"{name:24} {estimate}")
probed = {name: cost for name, cost in {**costs, RANDOM: untrained}.items() if name in at_hand}
ax = cost_plots.plot_accuracy_over_cost(probed, estimates, language=LANGUAGE)

# %% [markdown] lang="en"
# *Accuracy of linear probes on the validation images over the latency of one image (logarithmic scale), with 95 %
# intervals, for the backbones whose weights are at hand. The dashed line is their Pareto front.*
#
# Is what we see a difference, or luck?

# %% [markdown] lang="es"
# *Exactitud de las sondas lineales con las imágenes de validación frente a la latencia de una imagen (escala
# logarítmica), con intervalos del 95 %, para las redes cuyos pesos están a mano. La línea discontinua es su frente de
# Pareto.*
#
# ¿Es una diferencia lo que vemos, o es suerte?

# %%
wider = evaluation.paired_difference(right["mini_resnet_narrow"], right["mini_resnet"])
taught = evaluation.paired_difference(right[RANDOM], right["mini_resnet"])
print({"en": "wide against narrow:", "es": "ancha frente a estrecha:"}[LANGUAGE],
      evaluation.describe_difference(wider, LANGUAGE))  # fmt: skip
print({"en": "trained against random:", "es": "entrenada frente a al azar:"}[LANGUAGE],
      evaluation.describe_difference(taught, LANGUAGE))  # fmt: skip
claim(
    "more_work_buys_accuracy_here",
    100 * wider.value,
    en="The network of twice the width, with four times the work, is no worse",
    es="La red del doble de ancho, con el cuádruple de trabajo, no es peor",
    at_least=0,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "same_cost_other_accuracy",
    100 * taught.low,
    en="At the same cost, trained weights beat random ones: the whole interval is above 5 points",
    es="Con el mismo coste, los pesos entrenados superan a los pesos al azar: todo el intervalo pasa de 5 puntos",
    at_least=5,
    unit=POINTS,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# Two things differ between the wide and the narrow network: the width, and that the narrow one was trained for fewer
# epochs. So this is a comparison of two backbones as they are, and no proof that width alone did it.
#
# The second comparison is the cleaner one: cost says nothing about quality. The architecture decides what you pay; the
# weights decide what you get.
#
# Now we choose the backbone with the highest validation accuracy, and look at the **test** images, once.

# %% [markdown] lang="es"
# Entre la red ancha y la estrecha cambian dos cosas: el ancho y que la estrecha se entrenó durante menos épocas. Así que
# esto compara dos redes base tal como son, y no demuestra que se deba solo al ancho.
#
# La segunda comparación es la más limpia: el coste no dice nada de la calidad. La arquitectura decide lo que se paga; los
# pesos deciden lo que se obtiene.
#
# Ahora elegimos la red base con mayor exactitud de validación y miramos las imágenes de **prueba**, una sola vez.

# %%
chosen = max(estimates, key=lambda name: estimates[name].value)
backbone, data, *_ = at_hand[chosen]
test_features = extract_features(backbone, data.test.images, progress=False)
test_right = right_answers(chosen, test_features, data.test.labels)
final = evaluation.accuracy_estimate(list(test_right.mean(1)), test_right.shape[1])
print(f"{chosen}: {final}")
record_result("probe", backbone=chosen, accuracy=final.value, low=final.low, high=final.high, data=DATASET,
              labels_a_class=LABELS_A_CLASS)  # fmt: skip

# %% [markdown] lang="en"
# ## 7. A phone, a laptop, a server
#
# Nobody needs "the best" backbone. You need the most accurate one **that fits**. So write the budget down first.
#
# - **A phone.** The app must be downloaded: a few tens of megabytes at most. The battery pays for every multiply-add. The
#   user waits for one image: latency. Candidates: MobileNet, EfficientNet. Weights rounded to 8 bits
#   (**[quantisation](../../docs/glossary.md#quantisation)**) take a quarter of the space. The latency of *this* machine is
#   only a hint; measure on the phone.
# - **A laptop**, one task, few labels. A frozen backbone runs over your images **once**; then its features lie on the disk,
#   and training the head takes seconds. So even ResNet-50 is affordable. For fine-tuning, each step costs about three
#   times a prediction, many times over: there, smaller is pleasant.
# - **A server.** Thousands of images wait: throughput counts, with a large batch, on a graphics card. There a ViT is at home.
#   Size hardly matters. Money for each million images does.
#
# Three example budgets, and what remains of our list:

# %% [markdown] lang="es"
# ## 7. Un teléfono, un portátil, un servidor
#
# Nadie necesita «la mejor» red base. Se necesita la más exacta **que quepa**. Así que escriba primero el presupuesto.
#
# - **Un teléfono.** La aplicación hay que descargarla: unas decenas de megabytes a lo sumo. La batería paga cada
#   multiplicación-suma. El usuario espera una imagen: latencia. Candidatas: MobileNet, EfficientNet. Los pesos redondeados
#   a 8 bits (**[cuantización](../../docs/glosario.md#cuantización)**) ocupan la cuarta parte. La latencia de *este* equipo
#   es solo un indicio; mida en el teléfono.
# - **Un portátil**, una tarea, pocas etiquetas. Una red base congelada pasa **una vez** por sus imágenes; después las
#   características están en el disco, y entrenar la cabeza lleva segundos. Así que hasta ResNet-50 es asequible. En el
#   ajuste fino, cada paso cuesta unas tres veces lo que una predicción, muchas veces: ahí se agradece que sea pequeña.
# - **Un servidor.** Hay miles de imágenes en espera: cuenta el rendimiento, con lotes grandes, en una tarjeta gráfica. Ahí
#   un ViT está en su casa. El tamaño apenas importa. El dinero por cada millón de imágenes, sí.
#
# Tres presupuestos de ejemplo, y lo que queda de nuestra lista:

# %%
budgets = {
    {"en": "phone", "es": "teléfono"}[LANGUAGE]: {"size_mb": 20, "multiply_adds": 0.5e9},
    {"en": "laptop", "es": "portátil"}[LANGUAGE]: {"size_mb": 100, "multiply_adds": 5e9},
    {"en": "server", "es": "servidor"}[LANGUAGE]: {"size_mb": 500},
}
for device, limits in budgets.items():
    fits = sorted(within_budget(costs, **limits), key=lambda name: -(top1[name] or 0))
    best = fits[0] if fits and top1[fits[0]] else "–"
    print(f"{device:10} {len(fits)}: {', '.join(fits)}\n{'':10} → {best}")

# %% [markdown] lang="en"
# *After the arrow: the highest published accuracy among those that fit.* The limits are an example; move them to where
# yours are. (The sliders need a running notebook.)

# %% [markdown] lang="es"
# *Tras la flecha: la mayor exactitud publicada entre las que caben.* Los límites son un ejemplo; llévelos a donde estén los
# suyos. (Los controles deslizantes necesitan un cuaderno en marcha.)

# %%
box = cost_plots.explore_budget(costs, top1, language=LANGUAGE)

# %% [markdown] lang="en"
# ## 8. May you use it?
#
# A pretrained network is three things, and each may have terms of its own: the **code**, the **weights**, and the **data**
# that the weights learnt from. ImageNet's photos were given out for research and teaching, not for trade. Whether that
# binds the weights is disputed; the publishers leave it to you. What they state:

# %% [markdown] lang="es"
# ## 8. ¿Puede usarla?
#
# Una red preentrenada son tres cosas, y cada una puede tener sus condiciones: el **código**, los **pesos** y los **datos**
# de los que aprendieron los pesos. Las fotos de ImageNet se cedieron para investigar y enseñar, no para comerciar. Si eso
# obliga a los pesos es discutido; quienes los publican se lo dejan a usted. Lo que declaran:

# %%
unstated = {"en": "no published weights", "es": "sin pesos publicados"}[LANGUAGE]
for name, fact in facts.items():
    print(f"{name:20} {fact.licence or unstated}\n{'':20} {fact.licence_source}".rstrip())

# %% [markdown] lang="en"
# *Licence of the weights of each network, as far as its publisher states one, and where that is written.*
#
# Three habits: read the **model card** before you begin, not before you sell; write source, version and licence beside your
# model; and beware of neighbours: in torchvision the weights of ViT called SWAG are under a licence that forbids commercial
# use (CC BY-NC 4.0), those next to them are not. This lesson is no legal advice.
#
# ## What was learnt

# %% [markdown] lang="es"
# *Licencia de los pesos de cada red, hasta donde la declara quien los publica, y dónde está escrito.*
#
# Tres costumbres: lea la **ficha del modelo** (*model card*) antes de empezar, no antes de vender; anote la fuente, la
# versión y la licencia junto a su modelo; y cuidado con los vecinos: en torchvision, los pesos de ViT llamados SWAG tienen
# una licencia que prohíbe el uso comercial (CC BY-NC 4.0), y los de al lado no. Esta lección no es asesoramiento jurídico.
#
# ## Qué hemos aprendido

# %% [markdown] lang="en"
# - Five numbers say what a network costs. Three can be counted; latency and throughput must be measured, where it will run.
# - Cost does not depend on the weights; accuracy does. Cost can be measured without a download.
# - As a backbone, VGG-16 is not large. It is slow, and others are more accurate.
# - Multiply-adds sort networks roughly; they do not predict the time.
# - Choose from the Pareto front, within a budget that was written down first, by the validation images of *your* task.
# - Code, weights and data may each have their own licence.

# %% [markdown] lang="es"
# - Cinco números dicen lo que cuesta una red. Tres se pueden contar; la latencia y el rendimiento hay que medirlos donde
#   vaya a funcionar.
# - El coste no depende de los pesos; la exactitud, sí. El coste se puede medir sin descargar nada.
# - Como red base, VGG-16 no es grande. Es lenta, y otras son más exactas.
# - Las multiplicaciones-sumas ordenan las redes a grandes rasgos; no predicen el tiempo.
# - Elija en el frente de Pareto, dentro de un presupuesto escrito de antemano, con las imágenes de validación de *su*
#   tarea.
# - El código, los pesos y los datos pueden tener cada uno su licencia.

# %%
show_quiz("04_choosing_a_backbone/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - S. Kornblith, J. Shlens and Q. V. Le, "Do better ImageNet models transfer better?", *CVPR* 2019.
# - N. Ma, X. Zhang, H.-T. Zheng and J. Sun, "ShuffleNet V2: practical guidelines for efficient CNN architecture design",
#   *ECCV* 2018: why multiply-adds are not time.
# - K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image recognition", *ICLR* 2015 (VGG).
# - K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition", *CVPR* 2016 (ResNet).
# - A. G. Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications",
#   arXiv:1704.04861, 2017.
# - M. Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", *CVPR* 2018.
# - M. Tan and Q. V. Le, "EfficientNet: rethinking model scaling for convolutional neural networks", *ICML* 2019.
# - A. Dosovitskiy et al., "An image is worth 16x16 words: transformers for image recognition at scale", *ICLR* 2021 (ViT).

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - S. Kornblith, J. Shlens y Q. V. Le, «Do better ImageNet models transfer better?», *CVPR* 2019.
# - N. Ma, X. Zhang, H.-T. Zheng y J. Sun, «ShuffleNet V2: practical guidelines for efficient CNN architecture design»,
#   *ECCV* 2018: por qué las multiplicaciones-sumas no son tiempo.
# - K. Simonyan y A. Zisserman, «Very deep convolutional networks for large-scale image recognition», *ICLR* 2015 (VGG).
# - K. He, X. Zhang, S. Ren y J. Sun, «Deep residual learning for image recognition», *CVPR* 2016 (ResNet).
# - A. G. Howard et al., «MobileNets: efficient convolutional neural networks for mobile vision applications»,
#   arXiv:1704.04861, 2017.
# - M. Sandler et al., «MobileNetV2: inverted residuals and linear bottlenecks», *CVPR* 2018.
# - M. Tan y Q. V. Le, «EfficientNet: rethinking model scaling for convolutional neural networks», *ICML* 2019.
# - A. Dosovitskiy et al., «An image is worth 16x16 words: transformers for image recognition at scale», *ICLR* 2021 (ViT).
