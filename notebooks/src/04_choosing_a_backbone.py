# %% [markdown] lang="en"
# # Choosing a backbone: what does accuracy cost?
#
# **{Framework}** · about 45 minutes · before this: [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# There are hundreds of pretrained networks. Lists of them are sorted by accuracy, and someone has to pay for it: with
# milliseconds, megabytes or electricity. After this lesson you can
#
# - say what a network costs in five numbers, and write the code that **measures** them on your own machine;
# - count the work of a convolution, and say why MobileNet needs so little;
# - tell an architecture from the recipe that trained it;
# - compare backbones on your own data, with few labels and with more;
# - choose by budget and by data, export the network for a phone, and check whether you may use its weights.

# %% [markdown] lang="es"
# # Elegir una red base: ¿cuánto cuesta la exactitud?
#
# **{Framework}** · unos 45 minutos · antes: [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# Hay cientos de redes preentrenadas. Las listas las ordenan por exactitud, y esa exactitud alguien tiene que pagarla:
# con milisegundos, con megabytes o con electricidad. Al terminar podrá:
#
# - decir con cinco números lo que cuesta una red y escribir el código que los **mide** en su propio equipo;
# - contar el trabajo de una convolución y explicar por qué MobileNet necesita tan poco;
# - distinguir una arquitectura de la receta con que se entrenó;
# - comparar redes base con sus propios datos, con pocas etiquetas y con más;
# - elegir según el presupuesto y según los datos, exportar la red para un teléfono y comprobar si puede usar sus pesos.

# %% tags=["parameters"]
SEED = 0
DATASET = "drawn_pets"  # or "drawn_pets_breeds", "cats_vs_dogs", a folder with one sub-folder a class
BACKBONE = "mini_resnet"  # one more to try on the data, such as "resnet50"
IMAGE_SIZE = 64  # side of the images for that backbone, in pixels
MAX_A_CLASS = 150  # images of each class to use
LABELS = 20  # labelled training images of each class
FEW_LABELS = 5  # the same, when labels are scarce
DRAWS = 5  # how often the labelled images are drawn anew
BATCH_SIZE = 4  # images at a time for the images per second; on a GPU take 64
REPEATS = 5  # how often each time is measured; the median counts

# %%
# %matplotlib inline
import statistics
import time

import numpy as np

from tlhelpers import metrics, plots
from tlhelpers.claims import record_result
from tlhelpers.data.datasets import load_splits
from tlhelpers.numbers import percent, thousands
from tlhelpers.quiz import show_quiz

show_quiz("04_choosing_a_backbone/before", LANGUAGE)

# %% framework="pytorch"
import torch
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from tlhelpers.pytorch.data import ImageDataset
from tlhelpers.pytorch.heads import replace_head
from tlhelpers.pytorch.networks import load_network
from tlhelpers.pytorch.prediction import predict

torch.manual_seed(SEED)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
on_a_processor = device.type == "cpu"
print("PyTorch", torch.__version__, device, torch.get_num_threads(), words["threads"])

# %% framework="tensorflow"
import keras
import tensorflow as tf
from keras import layers

from tlhelpers.tensorflow.networks import load_network

keras.utils.set_random_seed(SEED)
tf.get_logger().setLevel("ERROR")  # its counter and its converter are talkative
on_a_processor = not tf.config.list_physical_devices("GPU")
print("TensorFlow", tf.__version__, "Keras", keras.__version__, "CPU" if on_a_processor else "GPU")

# %% [markdown] lang="en"
# ## 1. What does a network cost?
#
# Five numbers say most of it.
#
# | number | what it is | who cares |
# | --- | --- | --- |
# | **[parameters](../../docs/glossary.md#parameter)** | numbers that training sets | whoever trains |
# | **[multiply-adds](../../docs/glossary.md#multiply-adds)** | multiplications, each with an addition, for one image | whoever pays for electricity |
# | **size** | of the weights on disk, in megabytes (MB) | whoever downloads the app |
# | **[latency](../../docs/glossary.md#latency)** | time for one image, in milliseconds (ms) | whoever waits for the answer |
# | **[throughput](../../docs/glossary.md#throughput)** | images a second, many at a time | whoever has a million photos |
#
# The first three belong to the network. The last two belong to the network *and* the machine: measure them where it will
# run.
#
# One number is missing: the **memory** that training needs. Most of it is not weights but what each layer has put out,
# kept until the gradients are computed. It grows with the batch and with the area of the image.
#
# Let us load the small network of the course, without its head, and count.

# %% [markdown] lang="es"
# ## 1. ¿Cuánto cuesta una red?
#
# Cinco números lo dicen casi todo.
#
# | número | qué es | a quién le importa |
# | --- | --- | --- |
# | **[parámetros](../../docs/glosario.md#parámetro)** | números que fija el entrenamiento | a quien entrena |
# | **[multiplicaciones-sumas](../../docs/glosario.md#multiplicaciones-sumas)** | multiplicaciones, cada una con su suma, por imagen | a quien paga la electricidad |
# | **tamaño** | de los pesos en el disco, en megabytes (MB) | a quien descarga la aplicación |
# | **[latencia](../../docs/glosario.md#latencia)** | tiempo para una imagen, en milisegundos (ms) | a quien espera la respuesta |
# | **[imágenes por segundo](../../docs/glosario.md#imágenes-por-segundo)** (*throughput*) | cuántas procesa cuando llegan muchas a la vez | a quien tiene un millón de fotos |
#
# Los tres primeros son de la red. Los dos últimos son de la red *y* del equipo: mídalos donde vaya a funcionar.
#
# Falta un número: la **memoria** que pide el entrenamiento. Casi toda se va no en los pesos, sino en lo que ha dado cada
# capa, que se guarda hasta calcular los gradientes. Crece con el lote y con el área de la imagen.
#
# Carguemos la red pequeña del curso, sin su cabeza, y contemos.


# %% framework="pytorch"
def load_backbone(name, size, pretrained=False):
    """A network without its head, and its preprocessing; with random weights where `pretrained` is False."""
    network, prepare = load_network(name, pretrained)
    replace_head(network, 0)
    return network.eval().to(device), prepare


network, prepare = load_backbone("mini_resnet", 64, pretrained=True)
parameters = sum(parameter.numel() for parameter in network.parameters())
megabytes = sum(tensor.nbytes for tensor in network.state_dict().values()) / 1e6
print(thousands(parameters), words["parameters"], f"{megabytes:.1f} MB")


# %% framework="tensorflow"
def load_backbone(name, size, pretrained=False):
    """A network without its head, and its preprocessing; with random weights where `pretrained` is False."""
    return load_network(name, size, pretrained, include_top=False, pooling="avg")


network, prepare = load_backbone("mini_resnet", 64, pretrained=True)
parameters = network.count_params()
megabytes = 4 * parameters / 1e6  # float32 takes four bytes
print(thousands(parameters), words["parameters"], f"{megabytes:.1f} MB")

# %% [markdown] lang="en"
# ### The work of a convolution
#
# A convolution gives $H \times W$ outputs in each of $C_\text{out}$ channels. Each output looks at a window of
# $k \times k$ places in all $C_\text{in}$ input channels, and each of these numbers is multiplied and added once:
#
# $$\text{multiply-adds} = H \cdot W \cdot C_\text{out} \cdot k^2 \cdot C_\text{in}$$
#
# **Your turn (1).** A convolution may be split into $g$ **groups**: then each output sees only $C_\text{in} / g$ of the
# channels. Write the formula with groups as a function. The check builds real convolutions and counts.

# %% [markdown] lang="es"
# ### El trabajo de una convolución
#
# Una convolución da $H \times W$ salidas en cada uno de sus $C_\text{out}$ canales. Cada salida mira una ventana de
# $k \times k$ lugares en los $C_\text{in}$ canales de entrada, y cada uno de esos números se multiplica y se suma una
# vez:
#
# $$\text{multiplicaciones-sumas} = H \cdot W \cdot C_\text{out} \cdot k^2 \cdot C_\text{in}$$
#
# **Le toca a usted (1).** Una convolución puede dividirse en $g$ **grupos**: entonces cada salida solo ve
# $C_\text{in} / g$ de los canales. Escriba la fórmula con grupos como función. La comprobación construye convoluciones de
# verdad y cuenta.


# %% framework="pytorch" tags=["folded"]
def check_formula(multiply_adds_of):
    for c_in, c_out, k, side, groups in ((3, 8, 3, 10, 1), (8, 16, 1, 7, 1), (8, 8, 3, 5, 8), (8, 16, 5, 9, 4)):
        convolution = nn.Conv2d(c_in, c_out, k, padding=k // 2, groups=groups)
        with FlopCounterMode(display=False) as counter:
            convolution(torch.zeros(1, c_in, side, side))
        right, came = counter.get_total_flops() // 2, multiply_adds_of(c_in, c_out, k, side, side, groups)
        if came is None:
            print("✘", words["nothing_returned"])
            return
        if came != right:
            hint = "counted_twice" if came == 2 * right else "groups_missing" if came == groups * right else "not_so"
            print("✘", words[hint], f"({c_in} → {c_out}, {k} × {k}, {side} × {side}, g = {groups}): {right}, {came}")
            return
    print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_formula(multiply_adds_of):
    for c_in, c_out, k, side, groups in ((3, 8, 3, 10, 1), (8, 16, 1, 7, 1), (8, 8, 3, 5, 8), (8, 16, 5, 9, 4)):
        convolution = layers.Conv2D(c_out, k, padding="same", groups=groups)
        convolution.build((1, side, side, c_in))
        right = side * side * int(np.prod(convolution.kernel.shape))  # each weight is used at every place
        came = multiply_adds_of(c_in, c_out, k, side, side, groups)
        if came is None:
            print("✘", words["nothing_returned"])
            return
        if came != right:
            hint = "counted_twice" if came == 2 * right else "groups_missing" if came == groups * right else "not_so"
            print("✘", words[hint], f"({c_in} → {c_out}, {k} × {k}, {side} × {side}, g = {groups}): {right}, {came}")
            return
    print("✔", words["right"])


# %%
def multiply_adds_of(c_in, c_out, kernel, height, width, groups=1):
    """Multiply-adds of a convolution for one image; `height` and `width` are those of its output."""
    # write here


check_formula(multiply_adds_of)


# %% tags=["solution"]
def multiply_adds_of(c_in, c_out, kernel, height, width, groups=1):
    return height * width * c_out * kernel**2 * c_in // groups


check_formula(multiply_adds_of)

# %% [markdown] lang="en" framework="pytorch"
# For a whole network PyTorch has a counter, `FlopCounterMode`. It counts a multiplication and its addition as **two**
# operations, so we halve its number.

# %% [markdown] lang="en" framework="tensorflow"
# For a whole network TensorFlow has a counter, in its profiler (a tool that finds out where a program spends its time).
# It counts a multiplication and its addition as **two** operations, so we halve its number. It also counts biases and
# activations.

# %% [markdown] lang="es" framework="pytorch"
# Para una red entera PyTorch tiene un contador, `FlopCounterMode`. Cuenta una multiplicación y su suma como **dos**
# operaciones, así que dividimos su número entre dos.

# %% [markdown] lang="es" framework="tensorflow"
# Para una red entera TensorFlow tiene un contador, en su *profiler* (la herramienta que averigua en qué gasta el tiempo
# un programa). Cuenta una multiplicación y su suma como **dos** operaciones, así que dividimos su número entre dos.
# También cuenta sesgos y activaciones.


# %% framework="pytorch"
def count_multiply_adds(network, size):
    """Multiply-adds for one image; unlike our sum it also knows matrix products, as in transformers."""
    torch.backends.mha.set_fastpath_enabled(False)  # the counter does not see into the fast form of attention
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, size, size, device=device))
    torch.backends.mha.set_fastpath_enabled(True)
    return counter.get_total_flops() // 2


# %% framework="tensorflow"
def count_multiply_adds(network, size):
    """Multiply-adds for one image, as TensorFlow's profiler finds them in the graph."""
    graph = tf.function(network).get_concrete_function(tf.TensorSpec((1, size, size, 3))).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops // 2


# %% [markdown] lang="en" framework="pytorch"
# Can we check the counter? **Your turn (2).** Add up the convolutions of a network with `multiply_adds_of`. A module
# does not know how large its output will be; a forward hook, as in lesson 01, sees it. Let one image pass, and remove
# the hooks afterwards. `nn.Conv2d` has `in_channels`, `out_channels`, `kernel_size` and `groups`.

# %% [markdown] lang="en" framework="tensorflow"
# Can we check the counter? **Your turn (2).** Add up the convolutions of a network with `multiply_adds_of`. Keras knows
# the shapes: `layer.input.shape`, `layer.output.shape`, `kernel_size`, `groups`. A `DepthwiseConv2D` is a class of its
# own: it has as many groups as channels.

# %% [markdown] lang="es" framework="pytorch"
# ¿Se puede comprobar el contador? **Le toca a usted (2).** Sume las convoluciones de una red con `multiply_adds_of`. Un
# módulo no sabe qué tamaño tendrá su salida; un *hook* (un gancho, como en la lección 01) lo ve. Haga pasar una imagen
# y quite después los ganchos. `nn.Conv2d` tiene `in_channels`, `out_channels`, `kernel_size` y `groups`.

# %% [markdown] lang="es" framework="tensorflow"
# ¿Se puede comprobar el contador? **Le toca a usted (2).** Sume las convoluciones de una red con `multiply_adds_of`.
# Keras conoce las formas: `layer.input.shape`, `layer.output.shape`, `kernel_size`, `groups`. `DepthwiseConv2D` es una
# clase aparte: tiene tantos grupos como canales.


# %% framework="pytorch" tags=["folded"]
def check_sum(by_formula):
    for name, size in (("mini_resnet", 64), ("mobilenet_v2", 96)):
        network = load_backbone(name, size)[0]
        right, came = count_multiply_adds(network, size), by_formula(network, size)
        if came is None:
            print("✘", words["nothing_returned"])
            return
        if any(part._forward_hooks for part in network.modules()):
            print("✘", words["hooks_left"])
            return
        if came != right:
            print("✘", words["not_so"], f"{name}, {size} px: {right}, {came}")
            return
    print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_sum(by_formula):
    for name, size in (("mini_resnet", 64), ("mobilenet_v2", 96)):
        network = load_backbone(name, size)[0]
        used = [layer for layer in network.layers if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D)]
        right = sum(int(np.prod((*layer.output.shape[1:3], *layer.kernel.shape))) for layer in used)
        came = by_formula(network, size)
        if came is None:
            print("✘", words["nothing_returned"])
            return
        if came != right:
            print("✘", words["not_so"], f"{name}, {size} px: {right}, {came}")
            return
    print("✔", words["right"])


# %% framework="pytorch"
def by_formula(network, size):
    """Multiply-adds of all `nn.Conv2d` of `network`, for one image of `size` by `size` pixels on `device`."""
    # write here


check_sum(by_formula)


# %% framework="tensorflow"
def by_formula(network, size):
    """Multiply-adds of all `Conv2D` and `DepthwiseConv2D` of `network`, built for `size` by `size` pixels."""
    # write here


check_sum(by_formula)


# %% framework="pytorch" tags=["solution"]
def by_formula(network, size):
    counts = []

    def count(module, inputs, output):
        shape = (module.in_channels, module.out_channels, module.kernel_size[0], *output.shape[2:], module.groups)
        counts.append(multiply_adds_of(*shape))

    hooks = [part.register_forward_hook(count) for part in network.modules() if isinstance(part, nn.Conv2d)]
    network(torch.zeros(1, 3, size, size, device=device))
    for hook in hooks:
        hook.remove()
    return sum(counts)


check_sum(by_formula)


# %% framework="tensorflow" tags=["solution"]
def by_formula(network, size):
    total = 0
    for layer in network.layers:
        if isinstance(layer, layers.DepthwiseConv2D):  # one filter a channel
            channels = layer.output.shape[-1]
            total += multiply_adds_of(channels, channels, layer.kernel_size[0], *layer.output.shape[1:3], channels)
        elif isinstance(layer, layers.Conv2D):
            c_in, c_out = layer.input.shape[-1], layer.filters
            total += multiply_adds_of(c_in, c_out, layer.kernel_size[0], *layer.output.shape[1:3], layer.groups)
    return total


check_sum(by_formula)

# %% tags=["nbval-check-output"]
print(thousands(by_formula(network, 64)), thousands(count_multiply_adds(network, 64)))
claim("counter_agrees_with_formula", count_multiply_adds(network, 64) / by_formula(network, 64))

# %% [markdown] lang="en"
# **Beware of the word FLOPs.** Some count two operations, as the counter does. Most papers on networks for images count
# one, and call it FLOPs all the same. Here we always mean multiply-adds: one.
#
# ### Why MobileNet needs so little
#
# MobileNet splits a convolution in two: first one $k \times k$ filter for each channel on its own
# (**[depthwise](../../docs/glossary.md#depthwise-convolution)**), then a $1 \times 1$ convolution that mixes the
# channels. How much does that save, for 256 channels on a map of 14 × 14? And what does it cost to double the side of the
# image? Guess before you run the cell: the formula has $H \cdot W$ in it.

# %% [markdown] lang="es"
# **Cuidado con la palabra FLOPs.** Unos cuentan dos operaciones, como el contador. La mayoría de los artículos sobre
# redes para imágenes cuentan una, y aun así hablan de FLOPs. Aquí hablamos siempre de multiplicaciones-sumas: una.
#
# ### Por qué MobileNet necesita tan poco
#
# MobileNet divide la convolución en dos: primero aplica un filtro de $k \times k$ para cada canal por separado (**[en
# profundidad](../../docs/glosario.md#convolución-en-profundidad)**, *depthwise*); después, una convolución de $1 \times
# 1$ que mezcla los canales. ¿Cuánto ahorra eso con 256 canales en un mapa de 14 × 14? ¿Y cuánto cuesta duplicar el lado
# de la imagen? Apueste antes de ejecutar la celda: en la fórmula está $H \cdot W$.

# %%
whole = multiply_adds_of(256, 256, 3, 14, 14)
split = multiply_adds_of(256, 256, 3, 14, 14, groups=256) + multiply_adds_of(256, 256, 1, 14, 14)
print(f"3 × 3: {whole / 1e6:.1f} M;  depthwise + 1 × 1: {split / 1e6:.1f} M")
work = {side: count_multiply_adds(load_backbone("mini_resnet", side)[0], side) for side in (64, 128)}
print({f"{side} px": f"{count / 1e6:.0f} M" for side, count in work.items()})
claim("depthwise_saves_work", whole / split)
claim("twice_the_side_four_times_the_work", work[128] / work[64])

# %% [markdown] lang="en"
# ## 2. How long does it take?
#
# A stopwatch is easily fooled. The first call also chooses algorithms and fills
# [caches](../../docs/glossary.md#cache). Another program may disturb any call. A network in training mode does other
# things than one in use.
#
# **Your turn (3).** Write a function that returns the milliseconds of one answer of `network` for `pixels`: throw the
# first call away, then take the **median** of `REPEATS` calls. The check hands you a network that sleeps for a known time.

# %% [markdown] lang="es"
# ## 2. ¿Cuánto tarda?
#
# Es fácil engañar a un cronómetro. La primera llamada también elige algoritmos y llena
# [cachés](../../docs/glosario.md#caché). Otro programa puede estorbar en cualquier momento. Y una red en modo de
# entrenamiento no hace lo mismo que una red en uso.
#
# **Le toca a usted (3).** Escriba una función que devuelva los milisegundos de una respuesta de `network` para
# `pixels`: descarte la primera llamada y tome la **mediana** de `REPEATS` llamadas. La comprobación le da una red que
# duerme un tiempo conocido.


# %% framework="pytorch" tags=["folded"]
class Sleeper(nn.Module):
    """Sleeps for 20 ms; on the first call for 200, on the third for 100. Notes how it was called."""

    def __init__(self):
        super().__init__()
        self.calls, self.modes, self.weight = 0, set(), nn.Parameter(torch.ones(1))

    def forward(self, x):
        self.calls += 1
        self.modes.add(("train" if self.training else "eval", torch.is_grad_enabled()))
        time.sleep({1: 0.2, 3: 0.1}.get(self.calls, 0.02))
        return self.weight * x


def check_latency(latency):
    sleeper = Sleeper()
    came = latency(sleeper, torch.zeros(1))
    if came is None:
        print("✘", words["nothing_returned"])
    elif any(mode == "train" for mode, _ in sleeper.modes):
        print("✘", words["training_mode"])
    elif any(gradient for _, gradient in sleeper.modes):
        print("✘", words["gradients_on"])
    elif sleeper.calls <= REPEATS:
        print("✘", words["too_few_calls"], sleeper.calls)
    elif not 15 < came < 30:
        hint = "seconds" if came < 1 else "first_call" if came > 60 else "mean_taken" if came > 30 else "not_so"
        print("✘", words[hint], f"{came:.3g}")
    else:
        print("✔", words["right"], f"{came:.1f} ms")


# %% framework="tensorflow" tags=["folded"]
class Sleeper(layers.Layer):
    """Sleeps for 20 ms; on the first call for 200, on the third for 100. Notes how it was called."""

    def __init__(self):
        super().__init__()
        self.calls, self.modes = 0, set()

    def call(self, x, training=None):
        self.calls += 1
        self.modes.add(bool(training))
        time.sleep({1: 0.2, 3: 0.1}.get(self.calls, 0.02))
        return x


def check_latency(latency):
    sleeper = Sleeper()
    came = latency(sleeper, tf.zeros((1, 1)))
    if came is None:
        print("✘", words["nothing_returned"])
    elif True in sleeper.modes:
        print("✘", words["training_mode"])
    elif sleeper.calls <= REPEATS:
        print("✘", words["too_few_calls"], sleeper.calls)
    elif not 15 < came < 30:
        hint = "seconds" if came < 1 else "first_call" if came > 60 else "mean_taken" if came > 30 else "not_so"
        print("✘", words[hint], f"{came:.3g}")
    else:
        print("✔", words["right"], f"{came:.1f} ms")


# %% framework="pytorch"
def latency(network, pixels):
    """Milliseconds of one answer, in use: `eval()` and without gradients."""
    # write here


check_latency(latency)


# %% framework="tensorflow"
def latency(network, pixels):
    """Milliseconds of one answer; `network(pixels, training=False)` is a call."""
    # write here


check_latency(latency)


# %% framework="pytorch" tags=["solution"]
def latency(network, pixels):
    network.eval()
    seconds = []
    with torch.inference_mode():
        for _ in range(REPEATS + 1):
            started = time.perf_counter()
            network(pixels).cpu()  # on a GPU the call returns at once; `cpu()` waits for the answer
            seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds[1:])


check_latency(latency)


# %% framework="tensorflow" tags=["solution"]
def latency(network, pixels):
    seconds = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        np.array(network(pixels, training=False))  # on a GPU the call returns at once; `np.array` waits for the answer
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds[1:])


check_latency(latency)

# %% [markdown] lang="en"
# The well-known networks are downloads of 10 to 500 MB. Perhaps you have no network connection. Can we measure what
# they cost with **random** weights? The multiplications are the same, whatever the numbers. Let us check it with the
# one network of which we have both. To be fair, the two versions take turns, so that whatever else this machine does
# disturbs both alike; of each the fastest call counts.

# %% [markdown] lang="es"
# Las redes conocidas son descargas de 10 a 500 MB. Quizá usted no tenga conexión. ¿Podemos medir lo que cuestan con
# pesos **al azar**? Las multiplicaciones son las mismas, sean cuales sean los números. Comprobémoslo con la red de la
# que tenemos pesos de las dos clases. Para que sea justo, las dos versiones se turnan, de modo que lo que haga el
# equipo mientras tanto estorbe a ambas por igual; de cada una cuenta la llamada más rápida.


# %% framework="pytorch"
def pixels_for(size, count=1):
    return torch.rand(count, 3, size, size, device=device)


def compiled(network):
    """As it runs in use; PyTorch needs nothing more."""
    return network


# %% framework="tensorflow"
def pixels_for(size, count=1):
    return tf.random.uniform((count, size, size, 3))


def compiled(network):
    """As it runs in use: a graph, which is traced on the first call."""
    return tf.function(network, reduce_retracing=True)


# %%
def race(networks, sizes, rounds):
    """Milliseconds for one image: the networks take turns, and the fastest call of each counts."""
    pixels = {name: pixels_for(sizes[name]) for name in networks}
    runs = {name: compiled(network) for name, network in networks.items()}
    turns = [{name: time_once(runs[name], pixels[name]) for name in runs} for _ in range(rounds + 1)]
    return {name: min(turn[name] for turn in turns[1:]) for name in networks}


# %% framework="pytorch"
def time_once(network, pixels):
    started = time.perf_counter()
    with torch.inference_mode():
        network(pixels).cpu()
    return 1000 * (time.perf_counter() - started)


# %% framework="tensorflow"
def time_once(network, pixels):
    started = time.perf_counter()
    np.array(network(pixels, training=False))
    return 1000 * (time.perf_counter() - started)


# %%
trained, untrained = network, load_backbone("mini_resnet", 64)[0]
fastest = race({"trained": trained, "random": untrained}, {"trained": 64, "random": 64}, rounds=60)
print({words[name]: f"{value:.2f} ms" for name, value in fastest.items()})
claim("random_weights_cost_the_same_time", max(fastest.values()) / min(fastest.values()))

# %% [markdown] lang="en"
# So cost can be measured truly without a single download. Accuracy cannot: a network with random weights has none worth
# naming.
#
# ## 3. The well-known networks, on this machine
#
# - **VGG-16** (2014): thirteen convolutions of 3 × 3, one after the other, nothing else.
# - **ResNet-50** (2015): shortcuts around its blocks, so that it can be deep; 1 × 1 convolutions make it slim.
# - **MobileNetV2** (2018): depthwise convolutions.
# - **EfficientNet-B0** (2019): found by a search for the best accuracy at little work. **EfficientNet-Lite0** is its form
#   for phones; the course has its weights.
# - **ViT-B/16** (2020): no convolutions but one, which cuts the image into patches of 16 × 16 pixels; **attention** then
#   lets every patch look at every other. torchvision has it, `keras.applications` does not.
# - **mini_resnet**, for pictures of 64 px; all others take 224 px.
#
# All are measured **without their heads**, as backbones for transfer learning. {Framework} builds each with one line; with
# `weights=None` nothing is downloaded. Its preprocessing comes with it.

# %% [markdown] lang="es"
# Así que el coste se puede medir de verdad sin descargar nada. La exactitud, no: una red con pesos al azar no tiene
# ninguna que merezca ese nombre.
#
# ## 3. Las redes conocidas, en este equipo
#
# - **VGG-16** (2014): trece convoluciones de 3 × 3, una tras otra, y nada más.
# - **ResNet-50** (2015): conexiones residuales (atajos) alrededor de sus bloques, para poder ser profunda; convoluciones
#   de 1 × 1 la adelgazan.
# - **MobileNetV2** (2018): convoluciones en profundidad.
# - **EfficientNet-B0** (2019): hallada con una búsqueda automática de la mejor exactitud con poco trabajo.
#   **EfficientNet-Lite0** es su versión para teléfonos; el curso tiene sus pesos.
# - **ViT-B/16** (2020): sin más convolución que una, que corta la imagen en parches de 16 × 16 píxeles; después, la
#   **atención** permite que cada parche mire a todos los demás. torchvision la tiene; `keras.applications`, no.
# - **mini_resnet**, para imágenes de 64 px; todas las demás, de 224 px.
#
# Todas se miden **sin sus cabezas**, como redes base para la transferencia. {Framework} construye cada una con una línea;
# con `weights=None` no se descarga nada. El preprocesamiento viene con ella.


# %% framework="pytorch"
def count_parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


whole = models.resnet50(weights=None)
print(whole.fc, thousands(count_parameters(whole)))
whole.fc = nn.Identity()  # what `load_backbone` does for any of them
print(whole(torch.zeros(2, 3, 224, 224)).shape)
print(models.ResNet50_Weights.IMAGENET1K_V2.transforms())


# %% framework="tensorflow"
def count_parameters(network):
    return network.count_params()


whole = keras.applications.ResNet50(weights=None, input_shape=(224, 224, 3))
print(whole.layers[-1].name, whole.output_shape, thousands(count_parameters(whole)))
resnet50 = keras.applications.ResNet50(weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3))
print(resnet50.output_shape, thousands(count_parameters(resnet50)))
white = keras.ops.full((1, 1, 1, 3), 255.0)
print("ResNet:", keras.applications.resnet.preprocess_input(np.array(white)).ravel())
print("MobileNetV2:", keras.applications.mobilenet_v2.preprocess_input(np.array(white)).ravel())

# %%
SIZES = dict.fromkeys(("mobilenet_v2", "efficientnet_lite0", "efficientnet_b0", "resnet50", "vgg16"), 224)
SIZES = {"mini_resnet": 64} | SIZES | ({"vit_b_16": 224} if FRAMEWORK == "pytorch" else {})


def costs_of(network, size):
    """The five numbers of a network on this machine."""
    run, count = compiled(network), count_parameters(network)
    many = latency(run, pixels_for(size, BATCH_SIZE))
    return {
        "parameters": count,
        "multiply_adds": count_multiply_adds(network, size),
        "megabytes": 4 * count / 1e6,
        "latency": latency(run, pixels_for(size)),
        "images_a_second": 1000 * BATCH_SIZE / many,
    }


# %%
costs, racers = {}, {}
print(f"{'':20}" + "".join(f"{words[key]:>14}" for key in ("millions", "giga", "MB", "ms", "images_a_second")))
for name, size in SIZES.items():
    network = load_backbone(name, size)[0]
    costs[name] = cost = costs_of(network, size)
    racers |= {name: network} if name in ("mobilenet_v2", "efficientnet_b0", "resnet50", "vgg16") else {}
    values = (cost["parameters"] / 1e6, cost["multiply_adds"] / 1e9, cost["megabytes"], cost["latency"])
    print(f"{name:20}" + "".join(f"{value:14.2f}" for value in values) + f"{cost['images_a_second']:14.0f}")

# %% [markdown] lang="en"
# *What each backbone costs here: parameters in millions, multiply-adds in thousands of millions (G), megabytes,
# milliseconds for one image, images a second in a batch.*
#
# Look at the first two columns for `vgg16` and `resnet50`. Does something surprise you?
#
# VGG-16 is known as a giant. As a whole network it is: texts say 138 million parameters. But nearly all of them sit in its
# head, and transfer learning throws the head away. What stays is smaller than ResNet-50, and still does far more work: a
# few filters, used at very many places.

# %% [markdown] lang="es"
# *Lo que cuesta aquí cada red base: parámetros en millones, multiplicaciones-sumas en miles de millones (G), megabytes,
# milisegundos para una imagen e imágenes por segundo en un lote.*
#
# Mire las dos primeras columnas de `vgg16` y `resnet50`. ¿Le sorprende algo?
#
# VGG-16 tiene fama de gigante. Como red entera lo es: los libros dicen 138 millones de parámetros. Pero casi todos están
# en la cabeza, y la transferencia descarta la cabeza. Lo que queda es más pequeño que ResNet-50 y, aun así, trabaja mucho
# más: unos pocos filtros, usados en muchísimos lugares.

# %%
vgg, resnet = costs["vgg16"], costs["resnet50"]
claim("vgg_backbone_has_fewer_parameters", vgg["parameters"] / resnet["parameters"])
claim("vgg_needs_more_work", vgg["multiply_adds"] / resnet["multiply_adds"])

# %% [markdown] lang="en" framework="pytorch"
# **Your turn (4).** How many parameters does a network of torchvision have *without its head*? Write it as a function
# of the name. The heads have different names (`fc` in a ResNet, `classifier` in MobileNetV2), and no weights are
# needed.

# %% [markdown] lang="en" framework="tensorflow"
# **Your turn (4).** How many parameters does a network of `keras.applications` have *without its head*? Write it as a
# function of the name, such as `"MobileNetV2"`. No weights are needed.

# %% [markdown] lang="es" framework="pytorch"
# **Le toca a usted (4).** ¿Cuántos parámetros tiene una red de torchvision *sin su cabeza*? Escríbalo como función del
# nombre. Las cabezas se llaman de distinta manera (`fc` en una ResNet, `classifier` en MobileNetV2), y no hacen falta los
# pesos.

# %% [markdown] lang="es" framework="tensorflow"
# **Le toca a usted (4).** ¿Cuántos parámetros tiene una red de `keras.applications` *sin su cabeza*? Escríbalo como
# función del nombre, por ejemplo `"MobileNetV2"`. No hacen falta los pesos.


# %% framework="pytorch" tags=["folded"]
def check_backbone(backbone_parameters):
    for name, right, whole in (("resnet18", 11176512, 11689512), ("mobilenet_v2", 2223872, 3504872)):
        came = backbone_parameters(name)
        if came is None:
            print("✘", words["nothing_returned"])
            return
        if came != right:
            print("✘", words["head_counted" if came == whole else "not_so"], f"{name}: {came}")
            return
    print("✔", words["right"])


# %% framework="tensorflow" tags=["folded"]
def check_backbone(backbone_parameters):
    for name, right, whole in (("MobileNetV2", 2257984, 3538984), ("NASNetMobile", 4269716, 5326716)):
        came = backbone_parameters(name)
        if came is None:
            print("✘", words["nothing_returned"])
            return
        if came != right:
            print("✘", words["head_counted" if came == whole else "not_so"], f"{name}: {came}")
            return
    print("✔", words["right"])


# %% framework="pytorch"
def backbone_parameters(name):
    """Parameters of torchvision's network `name` without its head."""
    # write here


check_backbone(backbone_parameters)


# %% framework="tensorflow"
def backbone_parameters(name):
    """Parameters of Keras's network `name` without its head."""
    # write here


check_backbone(backbone_parameters)


# %% framework="pytorch" tags=["solution"]
def backbone_parameters(name):
    network = models.get_model(name, weights=None)
    last, _ = list(network.named_children())[-1]
    setattr(network, last, nn.Identity())
    return sum(parameter.numel() for parameter in network.parameters())


check_backbone(backbone_parameters)


# %% framework="tensorflow" tags=["solution"]
def backbone_parameters(name):
    build = getattr(keras.applications, name)
    return build(weights=None, include_top=False, input_shape=(224, 224, 3)).count_params()


check_backbone(backbone_parameters)

# %% [markdown] lang="en"
# ## 4. Does less work mean less time?
#
# Multiply-adds are in every paper, since they need no stopwatch. But do they say how long you wait? If so, each network
# would do the same number of them in a second. Let four networks race, image by image in turns.

# %% [markdown] lang="es"
# ## 4. ¿Menos trabajo significa menos tiempo?
#
# Las multiplicaciones-sumas aparecen en todos los artículos, porque no necesitan cronómetro. Pero ¿dicen cuánto hay que
# esperar? Si fuera así, todas las redes harían las mismas por segundo. Hagamos competir a cuatro redes, imagen por imagen,
# por turnos.

# %%
raced = race(racers, SIZES, rounds=8)
rates = {name: costs[name]["multiply_adds"] / 1e6 / raced[name] for name in raced}
ax = plots.new_axes(None, 5.5, 3.6)
for k, name in enumerate(raced):
    x, y = costs[name]["multiply_adds"] / 1e9, raced[name]
    ax.plot(x, y, marker=plots.MARKERS[k], color=plots.COLOURS[k], linestyle="none")
    ax.annotate(f"{name}\n{rates[name]:.0f} G/s", (x, y), textcoords="offset points", xytext=(8, -4), fontsize=9)
ax.set(xscale="log", yscale="log", xlabel=words["work_axis"], ylabel=words["time_axis"], xlim=(0.2, 60))
ax.set_xticks([0.2, 1, 5, 20], ["0.2", "1", "5", "20"])
ax.set_yticks([10, 30, 100, 300], ["10", "30", "100", "300"])
ax.minorticks_off()
plots.tidy(ax)
if on_a_processor:  # a graphics card has other bottlenecks, and another order
    claim("work_does_not_predict_time", max(rates.values()) / min(rates.values()))
    claim("small_network_is_faster", raced["vgg16"] / raced["efficientnet_b0"])

# %% [markdown] lang="en"
# *Milliseconds for one image over multiply-adds, both on logarithmic scales. Beside each name stand the multiply-adds (in
# thousands of millions) that the network does in a second.*
#
# The slim networks do less in a second. Two causes are likely, and this race does not part them. Depthwise convolutions do
# little with each number that they fetch from memory, so the processor waits for memory. And each layer costs some time
# just to start, and these networks have many layers.
#
# So multiply-adds sort networks roughly, where the factors are large. Where they are small, they promise little:
# compare EfficientNet-Lite0 with EfficientNet-B0 in your table. Both do nearly the same work, and in our runs B0 took
# 1.1 to 2 times as long. And on a graphics card, one image at a time, the order even turns over: there VGG-16 answered
# seven times as fast as EfficientNet-B0 ([figures](../../docs/gpu.md)). Measure where it will run.

# %% [markdown] lang="es"
# *Milisegundos para una imagen frente a multiplicaciones-sumas, ambos en escala logarítmica. Junto a cada nombre están las
# multiplicaciones-sumas (en miles de millones) que la red hace por segundo.*
#
# Las redes delgadas hacen menos por segundo. Hay dos causas probables, y esta carrera no las separa. Las convoluciones
# en profundidad hacen poco con cada número que traen de la memoria, así que el procesador espera a la memoria. Además,
# cada capa cuesta algo de tiempo solo con empezar, y estas redes tienen muchas.
#
# Así que las multiplicaciones-sumas ordenan las redes a grandes rasgos, cuando los factores son grandes. Cuando son
# pequeños, prometen poco: compare EfficientNet-Lite0 con EfficientNet-B0 en su tabla. Las dos hacen casi el mismo
# trabajo, y en nuestras ejecuciones B0 tardó entre 1.1 y 2 veces lo que Lite0. Y en una tarjeta gráfica, con una sola
# imagen cada vez, el orden incluso se invierte: allí VGG-16 respondió siete veces más rápido que EfficientNet-B0
# ([cifras](../../docs/gpu.md), en inglés). Mida donde vaya a funcionar.

# %% [markdown] lang="en"
# ## 5. What do you get for the cost?
#
# Publishers state an accuracy for their weights: **top-1** on ImageNet, the share of photos whose most probable class is
# the right one. But that number has two parents: the architecture and the **recipe**, that is, how long and with which
# tricks it was trained. The same ResNet-50 stands in torchvision twice.

# %% [markdown] lang="es"
# ## 5. ¿Qué se obtiene por ese coste?
#
# Quienes publican unos pesos declaran su exactitud: **top-1** en ImageNet, la parte de las fotos cuya clase más probable
# es la correcta. Pero ese número tiene dos padres: la arquitectura y la **receta**, es decir, cuánto tiempo y con qué
# trucos se entrenó. La misma ResNet-50 está dos veces en torchvision.

# %% framework="pytorch"
published = []  # (network, recipe, top-1 in %)
for name in ("vgg16", "resnet50", "mobilenet_v2", "efficientnet_b0", "vit_b_16"):
    for weights in models.get_model_weights(name):
        top1 = weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
        if "SWAG" not in weights.name and top1 > 0:  # SWAG's were pretrained on thousands of millions of other photos
            published.append((name, weights.name, top1))
for name, recipe, top1 in published:
    print(f"{name:16} {recipe:16} {top1:.1f} %")

# %% framework="tensorflow"
published = [  # (network, recipe, top-1 in %): from keras.io/api/applications, and the last one from torchvision's page
    ("vgg16", "2014", 71.3),
    ("resnet50", "2015", 74.9),
    ("mobilenet_v2", "2018", 71.3),
    ("efficientnet_b0", "2019", 77.1),
    ("resnet50", "torchvision 2021", 80.9),
]
for name, recipe, top1 in published:
    print(f"{name:16} {recipe:16} {top1:.1f} %")

# %%
ax = plots.new_axes(None, 6.0, 3.8)
for k, name in enumerate(dict.fromkeys(name for name, _, _ in published)):
    tops = [top1 for other, _, top1 in published if other == name]
    ax.plot([costs[name]["latency"]] * len(tops), tops, color=plots.COLOURS[k], marker=plots.MARKERS[k], label=name)
ax.set(xscale="log", xlabel=words["time_axis"], ylabel=words["top1_axis"])
ax.set_xticks([10, 30, 100, 300, 1000], ["10", "30", "100", "300", "1000"])
ax.minorticks_off()
plots.tidy(ax)
ax.legend(frameon=False, loc=(0.62, 0.3))
vgg_top1 = next(top1 for name, _, top1 in published if name == "vgg16")
better = {name for name, _, top1 in published if top1 > vgg_top1}
better = [name for name in better if costs[name]["multiply_adds"] < vgg["multiply_adds"]]
claim("vgg_is_beaten", len(better))

# %% [markdown] lang="en"
# *Published top-1 over the latency on this machine (logarithmic scale). A vertical line joins two recipes of one
# architecture, which cost the same.*
#
# So do not read such a list as a ranking of architectures. Between the two ResNet-50 lie about five or six points, more
# than between any two neighbours, if you sort the list. What lies to the upper left of all others is called the
# **[Pareto front](../../docs/glossary.md#pareto-front)**; VGG-16, still in many tutorials, is far from it.
#
# **Which recipe for transfer?** For a *frozen* backbone the newer one may be the worse. Kornblith and colleagues (2019)
# found that tricks such as label smoothing (to ask for a little less than 100 % for the right class) raise ImageNet's
# accuracy a little, and yield features that are much worse for a linear classifier on top. For fine-tuning it mattered
# far less. So for frozen use try the plain recipe too: Keras's weights have it, and torchvision's first ones
# (`weights="IMAGENET1K_V1"`). `weights="DEFAULT"`, which `load_network` takes, means torchvision's newest ones. Which
# of the two suits *your* task, your own data tell.
#
# ## 6. And on your own data?
#
# It is cheap: a **[linear probe](../../docs/glossary.md#linear-probe)**, a linear classifier on frozen
# [features](../../docs/glossary.md#feature), needs no training of the backbone. We compare the networks whose weights are
# at hand. One more comes along: `mini_resnet` with random weights. It costs what `mini_resnet` costs, to the last
# multiply-add.
#
# The labelled images are drawn several times, for each backbone the same ones. Since we are about to *choose*, we look at
# the validation images. The test images wait.

# %% [markdown] lang="es"
# *Top-1 publicado frente a la latencia en este equipo (escala logarítmica). Una línea vertical une dos recetas de una
# misma arquitectura, que cuestan lo mismo.*
#
# Así que no lea una lista de ese tipo como si ordenara arquitecturas. Entre las dos ResNet-50 hay unos cinco o seis
# puntos, más que entre dos vecinas cualesquiera si ordena la lista. Lo que queda arriba a la izquierda de todo lo demás
# se llama **[frente de Pareto](../../docs/glosario.md#frente-de-pareto)**; VGG-16, que sigue en muchos tutoriales, está
# lejos de él.
#
# **¿Qué receta para la transferencia?** Para una red base *congelada*, la más nueva puede ser la peor. Kornblith y sus
# colegas (2019) hallaron que trucos como el suavizado de etiquetas (no pedir del todo un 100 % para la clase correcta)
# aumentan un poco la exactitud en ImageNet y dan características mucho peores para un clasificador lineal. Para el
# ajuste fino importaba mucho menos. Así que, si la red va congelada, pruebe también la receta sencilla: la tienen los
# pesos de Keras y los primeros de torchvision (`weights="IMAGENET1K_V1"`). `weights="DEFAULT"`, que es lo que toma
# `load_network`, significa los más nuevos de torchvision. Cuál conviene a *su* tarea lo dicen sus propios datos.
#
# ## 6. ¿Y con sus propios datos?
#
# Es barato: una **[sonda lineal](../../docs/glosario.md#sonda-lineal)**, un clasificador lineal sobre
# [características](../../docs/glosario.md#característica) congeladas, no necesita entrenar la red base. Comparamos las redes
# cuyos pesos están a mano. Añadimos una más: `mini_resnet` con pesos al azar. Cuesta lo mismo que `mini_resnet`, hasta la
# última multiplicación-suma.
#
# Las imágenes etiquetadas se sortean varias veces, las mismas para cada red base. Como vamos a *elegir*, miramos las
# imágenes de validación. Las de prueba esperan.


# %% framework="pytorch"
def features_of(network, prepare, images):
    """Features `(n, features)` of pictures, from a frozen network."""
    loader = DataLoader(ImageDataset(images, np.zeros(len(images)), prepare), batch_size=16)
    return predict(network, loader)


# %% framework="tensorflow"
def features_of(network, prepare, images):
    """Features `(n, features)` of pictures, from a frozen network."""
    return network.predict(prepare(images.astype("float32")), batch_size=16, verbose=0)


# %%
def study(name, size, pretrained=True):
    """Network and data at its size, and features of the training and validation images."""
    network, prepare = load_backbone(name, size, pretrained)
    data = load_splits(
        DATASET, image_size=size, seed=SEED, max_per_class=MAX_A_CLASS, val_fraction=0.33, progress=False
    )
    features = {part: features_of(network, prepare, getattr(data, part).images) for part in ("train", "val")}
    return network, prepare, data, features


at_hand = {name: study(name, SIZES[name]) for name in ("mini_resnet", "efficientnet_lite0")}
if BACKBONE not in at_hand:
    at_hand[BACKBONE] = study(BACKBONE, IMAGE_SIZE)
RANDOM = f"mini_resnet, {words['random']}"
at_hand[RANDOM] = study("mini_resnet", 64, pretrained=False)


# %%
def right_answers(name, labels, features, truth):
    """For each draw of labelled images, which of the given images the probe got right; shape (draws, images)."""
    _, _, data, known = at_hand[name]
    answers = []
    for draw in range(DRAWS):
        rng, y = np.random.default_rng([SEED, draw]), data.train.labels
        few = np.concatenate([rng.permutation(np.flatnonzero(y == k))[:labels] for k in np.unique(y)])
        answers.append(metrics.linear_probe(known["train"][few], y[few], features).argmax(1))
    return np.stack(answers) == truth


right, curves = {}, {}
for name, (_, _, data, features) in at_hand.items():
    for labels in (FEW_LABELS, LABELS):
        right[name, labels] = right_answers(name, labels, features["val"], data.val.labels)
    curves[name] = np.stack([right[name, labels].mean(1) for labels in (FEW_LABELS, LABELS)], axis=1)
chance = 1 / len(data.train.class_names)
ax = plots.plot_accuracy_over_labels((FEW_LABELS, LABELS), curves, chance=chance, language=LANGUAGE)

# %%
pairs = (("trained_vs_random", RANDOM, "mini_resnet"), ("large_vs_small", "mini_resnet", "efficientnet_lite0"))
for labels in (FEW_LABELS, LABELS):
    for title, a, b in pairs:
        difference = metrics.paired_difference(right[a, labels], right[b, labels])
        print(f"{labels:3} {words[title]}", metrics.describe_difference(difference, LANGUAGE))
taught = metrics.paired_difference(right[RANDOM, LABELS], right["mini_resnet", LABELS])
claim("same_cost_other_accuracy", 100 * taught)

# %% [markdown] lang="en"
# *Accuracy of linear probes on the validation images, a faint mark for each draw. The printed differences compare two
# networks on the same images.*
#
# The first comparison is the clean one: the same architecture at the same cost, with and without training. The second
# differs in everything: width, depth, image size, and the photos of its pretraining. It compares two backbones as they
# are, on *drawings*, where the small one does as well. Photos turn the order over: on Cats vs Dogs, with 50 labels a class,
# `efficientnet_lite0` is 23 points ahead of `mini_resnet` (95 % interval 19 to 28). So ask your own data.
#
# Now we choose the backbone with the highest validation accuracy, and look at the **test** images, once.

# %% [markdown] lang="es"
# *Exactitud de las sondas lineales con las imágenes de validación, con una marca tenue por sorteo. Las diferencias
# impresas comparan dos redes con las mismas imágenes.*
#
# La primera comparación es la limpia: la misma arquitectura con el mismo coste, con y sin entrenamiento. En la segunda
# cambia todo: el ancho, la profundidad, el tamaño de las imágenes y las fotos del preentrenamiento. Compara dos redes
# base tal como son, con *dibujos*, donde la pequeña no queda atrás. Con fotos el orden se invierte: en Cats vs Dogs,
# con 50 etiquetas por clase, `efficientnet_lite0` aventaja a `mini_resnet` en 23 puntos (intervalo del 95 %: de 19 a
# 28). Así que haga la prueba con sus propios datos.
#
# Ahora elegimos la red base con mayor exactitud de validación y miramos las imágenes de **prueba**, una sola vez.

# %%
chosen = max((name for name in at_hand if name != RANDOM), key=lambda name: right[name, LABELS].mean())
network, prepare, data, features = at_hand[chosen]
test_right = right_answers(chosen, LABELS, features_of(network, prepare, data.test.images), data.test.labels)
final = metrics.accuracy_estimate(list(test_right.mean(1)), test_right.shape[1])
print(f"{chosen}: {final}")
record_result("probe", backbone=chosen, accuracy=final.value, low=final.low, high=final.high, data=DATASET,
              labels_a_class=LABELS)  # fmt: skip

# %% [markdown] lang="en"
# ## 7. A phone, a laptop, a server: by budget and by data
#
# Nobody needs "the best" backbone. You need the most accurate one **that fits**. So write the budget down first.
#
# - **A phone.** The app must be downloaded, and the battery pays for every multiply-add: 20 MB and 0.5 G, say.
# - **A laptop.** A frozen backbone runs over your images once; training the head then takes seconds. For fine-tuning, each
#   step costs about three times a prediction, many times over: 100 MB and 5 G, say.
# - **A server.** Thousands of images wait: images a second count, in large batches on a graphics card.
#
# Then the data decide, as far as is known (Kornblith and others, 2019, and lessons [01](01_cats_vs_dogs_{framework}.ipynb)
# and 03):
#
# | your data | what to do | which network |
# | --- | --- | --- |
# | few labels, near to the photos of the pretraining | frozen, a linear head | good *frozen* features: an older recipe; probe two or three |
# | many labels, near | fine-tune | the accurate one that fits; the recipe matters less |
# | few labels, far (drawings, X-rays) | frozen, also from earlier layers; probe | whichever the probe prefers |
# | many labels, far | fine-tune, and compare with training from scratch | what you can afford to train |
# | very fine classes (breeds) | try a larger image, not only a larger network | probe at two image sizes |

# %% [markdown] lang="es"
# ## 7. Un teléfono, un portátil, un servidor: según el presupuesto y según los datos
#
# Nadie necesita «la mejor» red base. Se necesita la más exacta **que quepa**. Así que escriba primero el presupuesto.
#
# - **Un teléfono.** La aplicación hay que descargarla, y la batería paga cada multiplicación-suma: por ejemplo, 20 MB y
#   0.5 G.
# - **Un portátil.** Una red base congelada pasa una vez por sus imágenes; entrenar después la cabeza lleva segundos. En el
#   ajuste fino, cada paso cuesta unas tres veces lo que una predicción, muchas veces: por ejemplo, 100 MB y 5 G.
# - **Un servidor.** Hay miles de imágenes en espera: cuentan las imágenes por segundo, con lotes grandes, en una tarjeta
#   gráfica.
#
# Después deciden los datos, hasta donde se sabe (Kornblith y otros, 2019, y las lecciones
# [01](01_cats_vs_dogs_{framework}.ipynb) y 03):
#
# | sus datos | qué hacer | qué red |
# | --- | --- | --- |
# | pocas etiquetas, cerca de las fotos del preentrenamiento | congelada, cabeza lineal | buenas características *congeladas*: una receta antigua; pruebe dos o tres con la sonda |
# | muchas etiquetas, cerca | ajuste fino | la más exacta que quepa; la receta importa menos |
# | pocas etiquetas, lejos (dibujos, radiografías) | congelada, también con características de capas anteriores; sonda | la que salga mejor en la sonda |
# | muchas etiquetas, lejos | ajuste fino, y comparar con el entrenamiento desde cero | la que pueda permitirse entrenar |
# | clases muy finas (razas) | probar una imagen mayor, no solo una red mayor | sonda con dos tamaños de imagen |

# %%
budgets = {"phone": (20, 0.5), "laptop": (100, 5), "server": (500, float("inf"))}  # MB, G of multiply-adds
for place, (most_mb, most_giga) in budgets.items():
    fits = [
        (top1, name, recipe)
        for name, recipe, top1 in published
        if costs[name]["megabytes"] <= most_mb and costs[name]["multiply_adds"] <= 1e9 * most_giga
    ]
    fits.sort(reverse=True)
    close = [fit for fit in fits if fit[0] > fits[0][0] - 0.5]  # 50 000 photos cannot tell these from the first
    choice = min(close, key=lambda fit: costs[fit[1]]["multiply_adds"])
    shown = (f"{'→ ' * (fit == choice)}{fit[1]} ({fit[2]}) {fit[0]:.1f} %" for fit in fits[:3])
    print(f"{words[place]:10}", "   ".join(shown))

# %% [markdown] lang="en"
# *The three highest published accuracies that fit each budget, best first, each with its recipe; an arrow marks our
# choice.*
#
# Why is the first one not always chosen? ImageNet's accuracies come from 50 000 photos. Half a point between two
# networks may be chance, so among those as close as that to the first we take the one that works least. So the choice
# is the same in this lesson's two versions, although torchvision has a ViT and Keras has none: EfficientNet-B0 for the
# phone, ResNet-50 with the newer recipe for laptop and server. (`keras.applications` has only the older recipe. Of
# *its* weights EfficientNet-B0 is ahead everywhere.) With another recipe in the list the choice would be another. The
# order for your data is that of section 6.
#
# ### For a phone
#
# Phones do not run {Framework}'s Python. The network is **exported** to a format that **runtimes** read, small programs
# that only compute answers. On the way its weights can also be rounded from 32 to 8 bits
# (**[quantisation](../../docs/glossary.md#quantisation)**), a quarter of the space. Does it still answer alike?

# %% [markdown] lang="es"
# *Las tres mayores exactitudes publicadas que caben en cada presupuesto, la mejor primero, cada una con su receta; una
# flecha señala la que elegimos.*
#
# ¿Por qué no se elige siempre la primera? Las exactitudes de ImageNet salen de 50 000 fotos. Medio punto entre dos
# redes puede ser azar, así que entre las que quedan así de cerca de la primera tomamos la que menos trabaja. Por eso se
# elige lo mismo en las dos versiones de esta lección, aunque torchvision tiene una ViT y Keras no: EfficientNet-B0 para
# el teléfono, y ResNet-50 con la receta más nueva para el portátil y el servidor. (`keras.applications` solo tiene la
# receta antigua; entre *sus* pesos, EfficientNet-B0 va por delante en todas partes). Con otra receta en la lista se
# elegiría otra red. El orden para sus datos es el de la sección 6.
#
# ### Para un teléfono
#
# En los teléfonos no funciona el Python de {Framework}. La red se **exporta** a un formato que leen programas pequeños
# (*runtimes*). Al exportarla, sus pesos también se pueden redondear de 32 a 8 bits
# (**[cuantización](../../docs/glosario.md#cuantización)**), la cuarta parte del espacio. ¿Sigue respondiendo igual?

# %% [markdown] lang="en" framework="pytorch"
# The format here is **ONNX**, which many runtimes read; `onnxruntime` is one of them.

# %% [markdown] lang="en" framework="tensorflow"
# The format here is **TFLite** (now also called LiteRT), which Android and many small devices read.

# %% [markdown] lang="es" framework="pytorch"
# El formato es aquí **ONNX**, que leen muchos programas; `onnxruntime` es uno de ellos.

# %% [markdown] lang="es" framework="tensorflow"
# El formato es aquí **TFLite** (ahora llamado también LiteRT), que leen Android y muchos dispositivos pequeños.

# %% framework="pytorch"
import logging
import tempfile
import warnings
from pathlib import Path

import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

warnings.simplefilter("ignore")  # the exporter warns of its own parts
logging.disable(logging.WARNING)
folder, size = Path(tempfile.mkdtemp()), at_hand[chosen][2].train.images.shape[1]
files = {"32": folder / "network.onnx", "8": folder / "network_8_bits.onnx"}
example = torch.rand(1, 3, size, size)
torch.onnx.export(network.cpu(), (example,), dynamo=True, verbose=False).save(files["32"])
quantize_dynamic(files["32"], files["8"], weight_type=QuantType.QUInt8)

# %% framework="tensorflow"
import contextlib
import io
import tempfile
import warnings
from pathlib import Path

warnings.simplefilter("ignore")  # TensorFlow says that the interpreter moves to a package of its own
folder = Path(tempfile.mkdtemp())
files = {"32": folder / "network.tflite", "8": folder / "network_8_bits.tflite"}
for bits, optimizations in (("32", []), ("8", [tf.lite.Optimize.DEFAULT])):
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = optimizations
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the shapes of all that it saves
        files[bits].write_bytes(converter.convert())


# %% framework="pytorch"
def exported(bits):
    """A function from prepared pixels of one image to features, as the runtime computes them."""
    session = onnxruntime.InferenceSession(files[bits], providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels})[0]


# %% framework="tensorflow"
def exported(bits):
    """A function from prepared pixels of one image to features, as the runtime computes them."""
    interpreter = tf.lite.Interpreter(str(files[bits]))
    interpreter.allocate_tensors()
    given, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(pixels):
        interpreter.set_tensor(given, pixels)
        interpreter.invoke()
        return interpreter.get_tensor(result)

    return run


# %% framework="pytorch"
def prepared(image):
    return prepare(torch.from_numpy(image).permute(2, 0, 1))[None].numpy()


# %% framework="tensorflow"
def prepared(image):
    return prepare(image[None].astype("float32"))


# %%
known, y = features["train"], data.train.labels
pixels = [prepared(image) for image in data.val.images]
print(f"{chosen}: {percent(metrics.accuracy(data.val.labels, metrics.linear_probe(known, y, features['val'])))}")
accuracies = {}
for bits, file in files.items():
    run, outputs, seconds = exported(bits), [], []
    for x in pixels:
        started = time.perf_counter()
        outputs.append(run(x))
        seconds.append(time.perf_counter() - started)
    ms = 1000 * statistics.median(seconds)
    accuracies[bits] = metrics.accuracy(data.val.labels, metrics.linear_probe(known, y, np.concatenate(outputs)))
    print(f"{bits:>2} {words['bits']}: {file.stat().st_size / 1e6:.1f} MB, {ms:.1f} ms, {percent(accuracies[bits])}")
float_error = np.abs(np.concatenate([exported("32")(x) for x in pixels[:8]]) - features["val"][:8]).max()
claim("export_answers_alike", float_error / np.abs(features["val"]).max())
claim("eight_bits_are_smaller", files["32"].stat().st_size / files["8"].stat().st_size)
claim("eight_bits_keep_the_accuracy", 100 * (accuracies["32"] - accuracies["8"]))

# %% [markdown] lang="en"
# *First the network in {Framework}, then its two exported files: size, milliseconds for one image in the runtime on
# this machine, and the validation accuracy of a probe on its features.* The milliseconds are of this machine's
# processor; a phone has its own. Measure there. And look at the order: with 8 bits the file is always smaller, but the
# answer is faster only where the runtime has code of its own for them. A run on photos exported `efficientnet_lite0`:
# 13.5 MB became 3.7 MB and the probe lost one point or none, but an answer took 115 ms and not 13 in `onnxruntime`, and 13
# ms and not 9 in TensorFlow's runtime.
#
# ## 8. May you use it?
#
# A pretrained network is three things, and each may have terms of its own: the **code**, the **weights**, and the **data**
# that the weights learnt from. ImageNet's photos were given out for research and teaching, not for trade. Whether that
# binds the weights is disputed; the publishers leave it to you.
#
# | weights | what their publisher states |
# | --- | --- |
# | torchvision's | none for the weights; the code is BSD |
# | Keras: VGG-16 | CC BY 4.0 (VGG, Oxford) |
# | Keras: ResNet-50 | MIT |
# | Keras: MobileNetV2 | Apache 2.0 |
# | `efficientnet_lite0` | Apache 2.0 |
# | `mini_resnet` | trained on Tiny ImageNet: research and teaching |
#
# Three habits: read the **model card** before you begin, not before you sell; write source, version and licence beside your
# model; and beware of neighbours: in torchvision the weights of ViT called SWAG are under a licence that forbids commercial
# use (CC BY-NC 4.0), those next to them are not. This lesson is no legal advice.
#
# ## 9. On one page
#
# Without any library of this course: what does a network cost on this machine? Take the file with you.

# %% [markdown] lang="es"
# *Primero, la red en {Framework}; después, sus dos archivos exportados: tamaño, milisegundos para una imagen en ese
# programa y en este equipo, y exactitud de validación de una sonda sobre sus características.* Los milisegundos son del
# procesador de este equipo; un teléfono tiene el suyo. Mida allí. Y mire el orden: con 8 bits el archivo es siempre más
# pequeño, pero la respuesta solo es más rápida donde el *runtime* tiene código propio para ellos. Una ejecución con
# fotos exportó `efficientnet_lite0`: de 13.5 MB pasó a 3.7 MB y la sonda perdió un punto o ninguno, pero una respuesta
# tardó 115 ms y no 13 en `onnxruntime`, y 13 ms y no 9 en el *runtime* de TensorFlow.
#
# ## 8. ¿Puede usarla?
#
# Una red preentrenada son tres cosas, y cada una puede tener sus condiciones: el **código**, los **pesos** y los **datos**
# de los que aprendieron los pesos. Las fotos de ImageNet se cedieron para investigar y enseñar, no para comerciar. Se
# discute si eso alcanza a los pesos; quienes los publican se lo dejan a usted.
#
# | pesos | lo que declara quien los publica |
# | --- | --- |
# | los de torchvision | nada sobre los pesos; el código es BSD |
# | Keras: VGG-16 | CC BY 4.0 (VGG, Oxford) |
# | Keras: ResNet-50 | MIT |
# | Keras: MobileNetV2 | Apache 2.0 |
# | `efficientnet_lite0` | Apache 2.0 |
# | `mini_resnet` | entrenada con Tiny ImageNet: investigación y enseñanza |
#
# Tres costumbres: lea la **ficha del modelo** (*model card*) antes de empezar, no antes de vender; anote la fuente, la
# versión y la licencia junto a su modelo; y cuidado con los vecinos: en torchvision, los pesos de ViT llamados SWAG tienen
# una licencia que prohíbe el uso comercial (CC BY-NC 4.0), y los de al lado no. Esta lección no es asesoramiento jurídico.
#
# ## 9. En una página
#
# Sin ninguna biblioteca de este curso: ¿cuánto cuesta una red en este equipo? Llévese el archivo.

# %% framework="pytorch"
# %%writefile {folder}/cost.py
"""What networks of torchvision cost here, without their heads: python cost.py resnet18 mobilenet_v2"""

import statistics
import sys
import time

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

for name in sys.argv[1:]:
    network = models.get_model(name, weights=None).eval()  # random weights cost what trained ones do
    last, _ = list(network.named_children())[-1]
    setattr(network, last, nn.Identity())  # the head
    pixels, times = torch.rand(1, 3, 224, 224), []
    with torch.inference_mode():
        for _ in range(11):
            started = time.perf_counter()
            network(pixels)
            times.append(time.perf_counter() - started)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(pixels)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(name, parameters, counter.get_total_flops() // 2, f"{1000 * statistics.median(times[1:]):.1f} ms")

# %% framework="tensorflow"
# %%writefile {folder}/cost.py
"""What networks of Keras cost here, without their heads: python cost.py ResNet50 MobileNetV2"""

import os
import statistics
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import tensorflow as tf

for name in sys.argv[1:]:
    build = getattr(keras.applications, name)
    network = build(weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3))
    run, pixels, times = tf.function(network), tf.random.uniform((1, 224, 224, 3)), []
    for _ in range(11):  # random weights cost what trained ones do
        started = time.perf_counter()
        run(pixels, training=False).numpy()
        times.append(time.perf_counter() - started)
    graph = tf.function(network).get_concrete_function(tf.TensorSpec((1, 224, 224, 3))).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    work = tf.compat.v1.profiler.profile(graph, options=options).total_float_ops // 2
    print(name, network.count_params(), work, f"{1000 * statistics.median(times[1:]):.1f} ms")

# %%
import subprocess
import sys

name = {"pytorch": "mobilenet_v2", "tensorflow": "MobileNetV2"}[FRAMEWORK]
said = subprocess.run([sys.executable, folder / "cost.py", name], capture_output=True, text=True)
print(said.stdout or said.stderr)
_, parameters, work, *_ = said.stdout.splitlines()[-1].split()
claim("script_agrees", 100 * abs(int(work) / costs["mobilenet_v2"]["multiply_adds"] - 1))

# %% [markdown] lang="en"
# ## What you can do now
#
# - Measure what a network costs: three numbers can be counted; latency and images a second are measured where it will run,
#   with a median, after a first call that does not count.
# - Cost does not depend on the weights; accuracy does. A published accuracy belongs to architecture **and** recipe.
# - As a backbone, VGG-16 is not large. It is slow, and others are more accurate.
# - Multiply-adds sort networks roughly; they do not predict the time.
# - Choose within a budget that was written down first, by the validation images of *your* task, frozen or fine-tuned as
#   your data allow.
# - Export and quantise for a phone, and check what it still answers.
#
# From the [toolbox](../../docs/toolbox.md) this lesson used `load_network` and the functions that cut a head off and
# predict. It adds none.
#
# ## Check yourself

# %% [markdown] lang="es"
# ## Lo que ya sabe hacer
#
# - Medir lo que cuesta una red: tres números se pueden contar; la latencia y las imágenes por segundo se miden donde vaya a
#   funcionar, con una mediana y después de una primera llamada que no cuenta.
# - El coste no depende de los pesos; la exactitud, sí. Una exactitud publicada es de la arquitectura **y** de la receta.
# - Como red base, VGG-16 no es grande. Es lenta, y otras son más exactas.
# - Las multiplicaciones-sumas ordenan las redes a grandes rasgos; no predicen el tiempo.
# - Elegir dentro de un presupuesto escrito de antemano, con las imágenes de validación de *su* tarea, congelada o con ajuste
#   fino según lo permitan los datos.
# - Exportar y cuantizar para un teléfono, y comprobar qué sigue respondiendo.
#
# De la [caja de herramientas](../../docs/caja_de_herramientas.md), esta lección ha usado `load_network` y las funciones
# que cortan la cabeza y predicen. No añade ninguna.
#
# ## Compruebe lo aprendido

# %%
show_quiz("04_choosing_a_backbone/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - S. Kornblith, J. Shlens and Q. V. Le, "Do better ImageNet models transfer better?", *CVPR* 2019.
# - N. Ma, X. Zhang, H.-T. Zheng and J. Sun, "ShuffleNet V2: practical guidelines for efficient CNN architecture design",
#   *ECCV* 2018: why multiply-adds are not time.
# - R. Wightman, H. Touvron and H. Jégou, "ResNet strikes back: an improved training procedure in timm", 2021: one
#   architecture, several recipes.
# - A. G. Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications",
#   arXiv:1704.04861, 2017.
# - M. Tan and Q. V. Le, "EfficientNet: rethinking model scaling for convolutional neural networks", *ICML* 2019.
# - A. Dosovitskiy et al., "An image is worth 16x16 words: transformers for image recognition at scale", *ICLR* 2021 (ViT).

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - S. Kornblith, J. Shlens y Q. V. Le, «Do better ImageNet models transfer better?», *CVPR* 2019.
# - N. Ma, X. Zhang, H.-T. Zheng y J. Sun, «ShuffleNet V2: practical guidelines for efficient CNN architecture design»,
#   *ECCV* 2018: por qué las multiplicaciones-sumas no son tiempo.
# - R. Wightman, H. Touvron y H. Jégou, «ResNet strikes back: an improved training procedure in timm», 2021: una misma
#   arquitectura, varias recetas.
# - A. G. Howard et al., «MobileNets: efficient convolutional neural networks for mobile vision applications»,
#   arXiv:1704.04861, 2017.
# - M. Tan y Q. V. Le, «EfficientNet: rethinking model scaling for convolutional neural networks», *ICML* 2019.
# - A. Dosovitskiy et al., «An image is worth 16x16 words: transformers for image recognition at scale», *ICLR* 2021 (ViT).
