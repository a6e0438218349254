// Tags of models, endpoint configurations, endpoints and compilation jobs.
import type { AddTagsInput, AddTagsOutput, DeleteTagsInput, ListTagsInput, ListTagsOutput, Tag } from '@aws-sdk/client-sagemaker';
import type { Checked } from '../../protocols/aws/check.ts';
import { validation } from '../../protocols/aws/errors.ts';
import type { Registry } from '../registry.ts';
import { paginate } from './lists.ts';

const MAX_TAGS = 50;
type Tags = readonly Checked<Tag>[];

function tagsOf(r: Registry, arn: string): Tags {
  const [, kind = '', name = ''] = /^arn:[^:]+:sagemaker:[^:]*:[^:]*:([^/]+)\/(.+)$/.exec(arn) ?? [];
  const tables = { model: r.models, 'endpoint-config': r.configs, endpoint: r.endpoints, 'compilation-job': r.jobs };
  const table = Object.entries(tables).find(([k]) => k === kind)?.[1];
  if (table?.get(name)?.arn !== arn) throw validation(`Could not find resource "${arn}".`);
  return r.tags.get(arn) ?? [];
}
export function addTags(r: Registry, i: Checked<AddTagsInput>): AddTagsOutput {
  const keys = new Set(i.Tags.map(t => t.Key));
  const tags = [...tagsOf(r, i.ResourceArn).filter(t => !keys.has(t.Key)), ...i.Tags];
  if (tags.length > MAX_TAGS) throw validation(`A resource can have at most ${MAX_TAGS} tags.`);
  r.tags.put(i.ResourceArn, tags);
  return { Tags: tags };
}
export function listTags(r: Registry, i: Checked<ListTagsInput>): ListTagsOutput {
  const { page, next } = paginate(tagsOf(r, i.ResourceArn), i.NextToken, i.MaxResults ?? MAX_TAGS);
  return { Tags: page as Tag[], ...next };
}
export function deleteTags(r: Registry, i: Checked<DeleteTagsInput>): object {
  r.tags.put(
    i.ResourceArn,
    tagsOf(r, i.ResourceArn).filter(t => !i.TagKeys.includes(t.Key)),
  );
  return {};
}
