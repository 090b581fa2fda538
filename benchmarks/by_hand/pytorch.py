"""cnn, resnet20 and mobilenet_v2 as PyTorch's users write them.

nn.Module, channels-last, autocast, torch.optim.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from by_hand import photographs
from by_hand.pytorch_layers import Layers
from torch import nn


class Cnn(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = nn.Linear(64 * 8 * 8, 128)
        self.fc2 = nn.Linear(128, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class BasicBlock(nn.Module):
    def __init__(self, before, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or before != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        if self.downsample is None:
            shortcut = x
        else:
            shortcut = self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet20(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        blocks, before = [], 16
        for channels in (16, 32, 64):
            for number in range(3):
                blocks.append(
                    BasicBlock(before, channels, 2 if number == 0 and channels > 16 else 1)
                )
                before = channels
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        x = self.blocks(F.relu(self.bn1(self.conv1(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


def convolution(before, channels, kernel, stride=1, groups=1):
    return nn.Sequential(
        nn.Conv2d(before, channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    def __init__(self, before, channels, stride, expansion):
        super().__init__()
        inner = before * expansion
        self.residual = stride == 1 and before == channels
        layers = []
        if expansion > 1:
            layers = [convolution(before, inner, 1)]
        layers += [
            convolution(inner, inner, 3, stride, inner),
            nn.Conv2d(inner, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        ]
        self.conv = nn.Sequential(*layers)

    def forward(self, x):
        if self.residual:
            return x + self.conv(x)
        return self.conv(x)


class MobileNetV2(nn.Module):
    STAGES = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )

    def __init__(self, classes):
        super().__init__()
        layers, before = [convolution(3, 32, 3, 2)], 32
        for expansion, channels, repeats, stride in self.STAGES:
            for number in range(repeats):
                layers.append(
                    InvertedResidual(before, channels, stride if number == 0 else 1, expansion)
                )
                before = channels
        self.features = nn.Sequential(*layers, convolution(before, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


MODELS = {"cnn": Cnn, "resnet20": ResNet20, "mobilenet_v2": MobileNetV2}


class ByHand:
    """A training loop's step, and inference; images are uint8 [n, h, w, c], labels int64 [n]."""

    def __init__(self, name, classes, side, mean, std, precision):
        self.mean = torch.tensor(mean)
        self.std = torch.tensor(std)
        self.half = precision == "bfloat16"
        if name in photographs.MODELS:
            model = Layers(photographs.MODELS[name], classes, side)
        else:
            model = MODELS[name](classes)
        self.model = model.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.0, momentum=0.9)

    def parameters(self):
        return sum(weight.numel() for weight in self.model.parameters())

    def pixels(self, images):
        return ((torch.from_numpy(images).float() - self.mean) / self.std).permute(0, 3, 1, 2)

    def step(self, images, labels):
        self.model.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            logits = self.model(self.pixels(images))
            loss = F.cross_entropy(logits, torch.from_numpy(labels))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def infer(self, images):
        self.model.eval()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            return self.model(self.pixels(images)).float().numpy()
