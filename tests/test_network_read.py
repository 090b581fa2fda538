"""Loading and saving: what is in a file is in the network.

And what is in the network computes the same in ONNX Runtime.
"""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import allotrope
from allotrope.errors import AllotropeError, RunFolderError
from allotrope.network import write
from allotrope.network.graph import Value
from allotrope.network.reading.opset import OPSET
from onnx_models import model, node, runtime, tensor

FILES = {
    "mnist_koshlan.onnx": (2, 28, 28),
    "ppocr_mobile_v2_cls.onnx": (2, 3, 48, 192),
    "ultraface_slim-320_nopost.onnx": (1, 3, 240, 320),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", FILES)
def test_files_of_three_exporters_come_back_equal(shared, tmp_path, name):
    path = shared / "data" / "onnx" / name
    network = allotrope.load(path)
    network.save(tmp_path / name)
    onnx.checker.check_model(str(tmp_path / name), full_check=True)
    before, after = runtime(str(path)), runtime(str(tmp_path / name))
    x = {
        before.get_inputs()[0].name: np.random.default_rng(0).random(FILES[name], dtype=np.float32)
    }
    for old, new in zip(before.run(None, x), after.run(None, x), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-4, atol=1e-5 * abs(old).max())
    again = allotrope.load(tmp_path / name)
    assert again.weights.keys() == network.weights.keys() and again.trainable == network.trainable
    assert all((again.weights[key] == array).all() for key, array in network.weights.items())


@pytest.mark.shared
def test_weights_keep_their_names_and_kinds(shared):
    file = shared / "data" / "onnx" / "ultraface_slim-320_nopost.onnx"
    network = allotrope.load(file)
    names = {array.name for array in onnx.load(file).graph.initializer}
    assert network.weights.keys() <= names
    state = network.weights.keys() - network.trainable
    assert state == {name for name in names if name.endswith(("running_mean", "running_var"))}
    assert not any("num_batches" in name for name in network.weights)


@pytest.mark.shared
def test_weights_in_constant_nodes_are_weights(shared):
    network = allotrope.load(shared / "data" / "onnx" / "ppocr_mobile_v2_cls.onnx")
    assert len(network.trainable) > 100
    assert all(network.weights[name].size > 1 for name in network.trainable)


@pytest.mark.shared
def test_a_freed_batch_gives_each_example_its_own_result(shared):
    path = shared / "data" / "onnx" / "ultraface_slim-320_nopost.onnx"
    network = allotrope.load(path)
    assert network.inputs[0].shape == ("n", 3, 240, 320)
    assert network.outputs[0].shape == (
        "n",
        4420,
        2,
    )
    x = np.random.default_rng(1).random((2, 3, 240, 320), dtype=np.float32)
    together = runtime(network.to_onnx()).run(None, {"input": x})
    for index in range(2):
        alone = runtime(str(path)).run(None, {"input": x[index : index + 1]})
        for one, of_two in zip(alone, together, strict=True):
            np.testing.assert_allclose(of_two[index : index + 1], one, rtol=1e-4, atol=1e-4)
    assert allotrope.load(path, repair=False).inputs[0].shape == (1, 3, 240, 320)


LIGHT = ["densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet"]
HEAVY = ["bvlc_alexnet", "vgg19", "zfnet512"]


def light(name):
    return onnx.__path__[0] + f"/backend/test/data/light/light_{name}.onnx"


@pytest.mark.parametrize("name", LIGHT)
def test_real_networks_compute_the_same(name):
    before, after = runtime(light(name)), runtime(allotrope.load(light(name)).to_onnx())
    info = before.get_inputs()[0]
    x = {info.name: np.random.default_rng(0).random(info.shape, dtype=np.float32)}
    np.testing.assert_allclose(after.run(None, x)[0], before.run(None, x)[0], rtol=1e-4)


@pytest.mark.parametrize("name", HEAVY)
def test_real_networks_that_are_slow_to_run_pass_the_checker(name):
    network = allotrope.load(light(name))
    onnx.checker.check_model(network.to_onnx(), full_check=True)
    assert len(network.graph.nodes) == len(onnx.load(light(name)).graph.node)


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "model"])
def test_every_kind_of_source(tmp_path, kind):
    made = model([node("MatMul", "x w", "y")], arrays={"w": np.ones((3, 2), np.float32)})
    onnx.save(made, tmp_path / "m.onnx")
    source = {
        "path": tmp_path / "m.onnx",
        "text": str(tmp_path / "m.onnx"),
        "bytes": made.SerializeToString(),
        "model": made,
    }[kind]
    network = allotrope.load(source)
    assert network.trainable == {"w"}
    assert network.inputs == (Value("x", np.dtype(np.float32), ("n", 3)),)
    assert network.outputs == (Value("y", np.dtype(np.float32), ("n", 2)),)


def test_a_model_that_is_given_is_not_changed():
    made = model([node("Clip", "x", "y", min=0.0, max=6.0)], opset=7, ir_version=4)
    before = made.SerializeToString()
    allotrope.load(made)
    assert made.SerializeToString() == before


def test_an_initializer_that_is_an_input_too_is_a_weight():
    made = model(
        [node("MatMul", "x w", "y")],
        [tensor("x"), tensor("w", shape=[3, 2])],
        arrays={"w": np.ones((3, 2), np.float32)},
        ir_version=3,
    )
    network = allotrope.load(made)
    assert [x.name for x in network.inputs] == ["x"] and network.trainable == {"w"}


def test_a_shared_weight_is_one_weight():
    nodes = [node("MatMul", "x w", "h"), node("MatMul", "h w", "y")]
    network = allotrope.load(model(nodes, arrays={"w": np.eye(3, dtype=np.float32)}))
    assert set(network.weights) == {"w"} and str(network).count("9") >= 1


def test_an_input_may_be_the_output_and_a_constant_too():
    made = model(
        [node("Constant", "", "c", value_floats=[1.0, 2.0])],
        outputs=[tensor("x"), tensor("c", shape=[2])],
    )
    network = allotrope.load(made)
    x, c = runtime(network.to_onnx()).run(None, {"x": np.ones((1, 3), np.float32)})
    assert x.tolist() == [[1, 1, 1]] and c.tolist() == [1, 2]


def test_documentation_and_metadata_travel(tmp_path):
    made = model([node("Relu", "x", "y")])
    made.graph.doc_string = "what it is for"
    helper.set_model_props(made, {"classes": '["a", "b"]'})
    allotrope.load(made).save(tmp_path / "m.onnx")
    again = allotrope.load(tmp_path / "m.onnx")
    assert again.graph.documentation == "what it is for"
    assert again.metadata == {"classes": '["a", "b"]'}
    made.graph.doc_string, made.doc_string = "", "of the model"
    assert allotrope.load(made).graph.documentation == "of the model"


def test_nodes_out_of_order_are_sorted():
    nodes = [node("Relu", "h", "y"), node("Neg", "x", "h")]
    assert [node.operator for node in allotrope.load(model(nodes)).graph.nodes] == ["Neg", "Relu"]


def test_functions_of_the_model_are_put_in_place():
    body = helper.make_function(
        "mine", "Twice", ["a"], ["b"], [node("Add", "a a", "b")], [helper.make_opsetid("", 21)]
    )
    made = model(
        [node("Twice", "x", "h", domain="mine"), node("Twice", "h", "y", domain="mine")],
        functions=[body],
    )
    made.opset_import.append(helper.make_opsetid("mine", 1))
    network = allotrope.load(made)
    assert [node.operator for node in network.graph.nodes] == ["Add", "Add"]
    assert runtime(network.to_onnx()).run(None, {"x": np.ones((1, 3), np.float32)})[0].tolist() == [
        [4, 4, 4]
    ]


def test_weights_inside_branches_are_weights_of_the_network():
    def branch(name, value):
        weight = numpy_helper.from_array(np.full((3, 3), value, np.float32), "w")
        return helper.make_graph(
            [node("MatMul", "x w", name)], name, [], [tensor(name, shape=None)], [weight]
        )

    choice = node("If", "c", "y", then_branch=branch("t", 1), else_branch=branch("e", 2))
    made = model([choice], [tensor("x"), tensor("c", TensorProto.BOOL, [])])
    network = allotrope.load(made)
    assert network.trainable == {"w", "w_2"}
    for condition, expected in ((True, 3.0), (False, 6.0)):
        feed = {"x": np.ones((1, 3), np.float32), "c": np.array(condition)}
        assert runtime(network.to_onnx()).run(None, feed)[0][0, 0] == expected


@pytest.mark.parametrize(
    "name",
    [
        "BFLOAT16",
        "FLOAT8E4M3FN",
        "INT4",
        "UINT4",
        "FLOAT4E2M1",
        "INT2",
        "UINT2",
        "FLOAT16",
        "DOUBLE",
        "BOOL",
        "UINT64",
    ],
)
def test_every_element_type_comes_back(name):
    kind = TensorProto.DataType.Value(name)
    array = np.array([1, 0, 1, 1, 0]).astype(helper.tensor_dtype_to_np_dtype(kind))
    made = model(
        [node("Identity", "c", "y")],
        outputs=[tensor("y", kind, [5])],
        arrays={"c": array},
        opset=25,
        ir_version=13,
    )
    network = allotrope.load(allotrope.load(made).to_onnx())
    assert network.graph.constants["c"].dtype == array.dtype
    assert (network.graph.constants["c"] == array).all()


def test_strings_come_back():
    made = model(
        [node("Identity", "c", "y")],
        outputs=[tensor("y", TensorProto.STRING, [2])],
        arrays={"c": np.array(["a", "ü"], object)},
    )
    assert allotrope.load(allotrope.load(made).to_onnx()).graph.constants["c"].tolist() == [
        "a",
        "ü",
    ]


def test_arrays_written_as_lists_of_numbers():
    w = helper.make_tensor("w", TensorProto.FLOAT, [3, 2], list(range(6)))
    half = helper.make_tensor("h", TensorProto.FLOAT16, [2], [1.5, -2.0])
    made = model(
        [node("MatMul", "x w", "y"), node("Identity", "h", "z")],
        outputs=[tensor("y", shape=None), tensor("z", TensorProto.FLOAT16, [2])],
    )
    made.graph.initializer.extend([w, half])
    network = allotrope.load(made)
    assert network.weights["w"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert network.graph.constants["h"].tolist() == [1.5, -2.0]


def test_external_data_from_one_file_in_the_folder(tmp_path):
    array = np.random.default_rng(0).random((3, 4), dtype=np.float32)
    made = model([node("MatMul", "x w", "y")], arrays={"w": array})
    onnx.save(
        made, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0
    )
    assert (allotrope.load(tmp_path / "m.onnx").weights["w"] == array).all()


def test_beyond_two_gigabytes_weights_get_a_file_of_their_own(tmp_path):
    array = np.random.default_rng(0).random((3, 4), dtype=np.float32)
    network = allotrope.load(model([node("MatMul", "x w", "y")], arrays={"w": array}))
    write.save(network, tmp_path / "m.onnx", largest=40)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert (allotrope.load(tmp_path / "m.onnx").weights["w"] == array).all()
    session = runtime(str(tmp_path / "m.onnx"))
    (y,) = session.run(None, {"x": np.ones((1, 3), np.float32)})
    assert y.shape == (1, 4)
    with pytest.raises(AllotropeError, match="2 GiB"):
        write.to_onnx(network, largest=40)


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    network = allotrope.load(model([node("Relu", "x", "y")]))
    with pytest.raises(RunFolderError, match="cannot be written"):
        network.save(tmp_path / "missing" / "m.onnx")
    (tmp_path / "m.onnx").mkdir()
    with pytest.raises(RunFolderError):
        network.save(tmp_path / "m.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_files_are_written_in_the_lowest_opset_that_means_the_same():
    def written(node, opset, kind=TensorProto.FLOAT, arrays=None):
        made = model([node], None, [tensor("y", kind, None)], arrays, opset, 13)
        return allotrope.load(made).to_onnx().opset_import[0].version

    scale = {"s": np.array(0.1, np.float32), "z": np.array(0, np.uint8)}
    assert written(node("Relu", "x", "y"), 7) == 21
    assert written(node("QuantizeLinear", "x s z", "y"), OPSET, TensorProto.UINT8, scale) == 21
    assert written(node("Swish", "x", "y"), OPSET) == 24
    assert written(node("Mod", "x x", "y"), OPSET) == OPSET
