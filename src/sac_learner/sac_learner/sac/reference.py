"""One update of Soft Actor-Critic, written to be read: Algorithm 1 of [SAC] with autograd.

Every option is here; the faster forms must agree with it. [SAC] is arXiv:1812.05905.
"""

from collections.abc import Callable

import torch

from sac_learner.sac.adam import adam_step, AdamSettings, fused_adam_step
from sac_learner.sac.augment import random_shift
from sac_learner.sac.batch import Inputs
from sac_learner.sac.config import SacConfig
from sac_learner.sac.learnables import Learnables, Trained
from sac_learner.sac.networks import actor, BatchNorm, critics, encode, Networks, Parameters
from sac_learner.sac.noise import Draws
from sac_learner.sac.objectives import (
    actor_loss,
    critic_loss,
    q_target,
    squashed_gaussian,
    temperature_loss,
)
from sac_learner.sac.schedule import Plan

Tensor = torch.Tensor

CRITIC_METRICS = ('critic_loss', 'q_mean', 'critic_gradient_norm')
ACTOR_METRICS = ('actor_loss', 'log_prob_mean', 'alpha', 'alpha_loss', 'actor_gradient_norm')


class ReferenceUpdate:
    """Works on the memory of a `Learnables`."""

    def __init__(
        self, shape: Networks, config: SacConfig, learnables: Learnables, *, fused: bool = False
    ) -> None:
        """Take hold of the parameters; `fused` uses the optimiser's one-kernel form."""
        self._shape, self._config, self._all = shape, config, learnables
        self._step: Callable[[Trained, Tensor, AdamSettings], Tensor] = (
            fused_adam_step if fused else adam_step
        )

    def __call__(self, inputs: Inputs, draws: Draws, plan: Plan) -> tuple[Tensor, Tensor | None]:
        """Take one step.

        Returns:
            Values of `CRITIC_METRICS`, and of `ACTOR_METRICS` where the actor took a step.
        """
        inputs = augmented(inputs, draws)
        alpha = self._all.temperature.flat.exp()
        critic_metrics = self._update_critics(inputs, draws, plan, alpha)
        actor_metrics = None
        if plan.update_actor:
            actor_metrics = self._update_actor(inputs, draws, plan, alpha)
            self._all.follow(plan.average)
        if plan.update_target and self._config.target_networks:
            self._all.target.lerp_(self._all.critic.flat, self._config.tau)
        return critic_metrics, actor_metrics

    def finish(self) -> None:
        """Do nothing: the steps are taken, and reading a tensor waits for a device."""

    def _update_critics(self, x: Inputs, draws: Draws, plan: Plan, alpha: Tensor) -> Tensor:
        """Minimise J_Q, [SAC] eq. 5."""
        leaf = self._all.critic.flat.detach().requires_grad_()
        p = self._all.critic.layout.views(leaf)
        with torch.no_grad():
            next_mean, next_log_std = self._actor(
                self._all.actor.views, x.next_vector, x.next_image
            )
            next_action, next_log_prob = squashed_gaussian(
                next_mean, next_log_std, draws.next_noise
            )
        features = self._critic_features(p, x.vector, x.image)
        if self._config.target_networks:
            q = self._critics(p, features, x.action, draws, 'critic')
            with torch.no_grad():
                next_q = self._target_critics(x, next_action, draws)
        else:
            q, next_q = self._joint_critics(p, features, x, next_action, draws, plan)
        target = q_target(
            x.reward,
            x.discount,
            next_q,
            next_log_prob,
            alpha=alpha,
            entropy_backup=self._config.entropy_backup,
        )
        loss = critic_loss(q, target)
        (gradient,) = torch.autograd.grad(loss, leaf)
        norm = self._step(self._all.critic, gradient, plan.critic)
        return torch.stack((loss.detach(), q.detach().mean(), norm))

    def _update_actor(self, x: Inputs, draws: Draws, plan: Plan, alpha: Tensor) -> Tensor:
        """Minimise J_pi, [SAC] eq. 9, and J(alpha), eq. 18."""
        assert draws.noise is not None
        leaf = self._all.actor.flat.detach().requires_grad_()
        p = self._all.actor.layout.views(leaf)
        critic = self._all.critic.views  # already updated, and not to be changed by this loss
        action, log_prob = squashed_gaussian(*self._actor(p, x.vector, x.image), draws.noise)
        with torch.no_grad():
            features = self._critic_features(critic, x.vector, x.image)
        norm_layers = self._batch_norm(training=False, renormalise=False)
        q = self._critics(critic, features, action, draws, 'actor', norm_layers)
        loss = actor_loss(q, log_prob, alpha=alpha, reduction=self._config.actor_reduction)
        (gradient,) = torch.autograd.grad(loss, leaf)
        norm = self._step(self._all.actor, gradient, plan.actor)
        alpha_loss = self._update_temperature(log_prob.detach(), plan)
        values = (loss.detach(), log_prob.detach().mean(), alpha[0], alpha_loss, norm)
        return torch.stack(values)

    def _update_temperature(self, log_prob: Tensor, plan: Plan) -> Tensor:
        leaf = self._all.temperature.flat.detach().requires_grad_()
        loss = temperature_loss(leaf, log_prob, target_entropy=plan.target_entropy)
        if self._config.learn_temperature:
            (gradient,) = torch.autograd.grad(loss, leaf)
            adam_step(self._all.temperature, gradient, plan.temperature)
        return loss.detach()

    def _actor(self, p: Parameters, vector: Tensor, image: Tensor | None) -> tuple[Tensor, Tensor]:
        if image is not None:
            layers = self._shape.actor.encoder
            if self._shape.shared_encoder:  # only the critics' loss trains it
                with torch.no_grad():
                    features = encode(self._all.critic.views, image, layers)
            else:
                features = encode(p, image, layers)
            vector = torch.cat((features, vector), dim=1)
        return actor(p, vector, self._shape.actor)

    def _critic_features(self, p: Parameters, vector: Tensor, image: Tensor | None) -> Tensor:
        if image is None:
            return vector
        return torch.cat((encode(p, image, self._shape.actor.encoder), vector), dim=1)

    def _critics(
        self,
        p: Parameters,
        features: Tensor,
        action: Tensor,
        draws: Draws,
        which: str,
        batch_norm: BatchNorm | None = None,
    ) -> Tensor:
        masks = draws.masks[which] if draws.masks else None
        return critics(p, features, action, self._shape, masks=masks, batch_norm=batch_norm)

    def _target_critics(self, x: Inputs, next_action: Tensor, draws: Draws) -> Tensor:
        p = self._all.critic.layout.views(self._all.target)
        features = self._critic_features(p, x.next_vector, x.next_image)
        if draws.subset is not None:
            p = {k: v if k.startswith('encoder.') else v[draws.subset] for k, v in p.items()}
        return self._critics(p, features, next_action, draws, 'target')

    def _joint_critics(
        self,
        p: Parameters,
        features: Tensor,
        x: Inputs,
        next_action: Tensor,
        draws: Draws,
        plan: Plan,
    ) -> tuple[Tensor, Tensor]:
        """Return critics at (s, a) and (s', a') from one pass, so that both share statistics."""
        with torch.no_grad():
            next_features = self._critic_features(p, x.next_vector, x.next_image)
        masks = None
        if draws.masks:
            pairs = zip(draws.masks['critic'], draws.masks['target'], strict=True)
            masks = [torch.cat(pair, dim=1) for pair in pairs]
        norm_layers = self._batch_norm(
            training=True, renormalise=plan.update >= self._config.batch_norm_warmup
        )
        both = critics(
            p,
            torch.cat((features, next_features)),
            torch.cat((x.action, next_action)),
            self._shape,
            masks=masks,
            batch_norm=norm_layers,
        )
        if norm_layers:
            norm_layers.commit()
        q, next_q = both.chunk(2, dim=1)
        if draws.subset is not None:
            next_q = next_q[draws.subset]
        return q, next_q.detach()

    def _batch_norm(self, *, training: bool, renormalise: bool) -> BatchNorm | None:
        if not self._shape.batch_norm:
            return None
        statistics = self._all.statistics_layout.views(self._all.statistics)
        return BatchNorm(statistics, training, renormalise, self._config.batch_norm_momentum)


def augmented(inputs: Inputs, draws: Draws) -> Inputs:
    """Return the inputs with their images shifted, where shifts were drawn."""
    if draws.shifts is None or inputs.image is None or inputs.next_image is None:
        return inputs
    return Inputs(
        **{
            **vars(inputs),
            'image': random_shift(inputs.image, draws.shifts[0]),
            'next_image': random_shift(inputs.next_image, draws.shifts[1]),
        }
    )
