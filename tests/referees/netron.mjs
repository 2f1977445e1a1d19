// Opens files with the modules of Netron (its Python package holds them) as its pages do, without a browser, and
// prints what Netron sees as JSON. Laying out and drawing need a page: they are not done.
//
//     node netron.mjs FOLDER_OF_NETRON FILE...
import * as fs from 'fs';
import * as path from 'path';
import { pathToFileURL } from 'url';

const [folder, ...files] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(path.join(folder, `${name}.js`)));
const view = await load('view');
const node = await load('node');
const base = await load('base');

class Host {
    async require(id) {
        return load(id);
    }
    async asset(file) {
        return fs.readFileSync(path.join(folder, file), 'utf-8');
    }
    event() {}
}

class Context {
    constructor(host, file) {
        this.host = host;
        this.identifier = path.basename(file);
        const { size, mtimeMs } = fs.statSync(file);
        this.stream = new node.FileStream(file, 0, size, mtimeMs);
        this.entries = new Map();
    }
    async require(id) {
        return this.host.require(id);
    }
    async asset(file) {
        return this.host.asset(file);
    }
    async fetch(file) {
        throw new Error(`it asks for another file, ${file}`);
    }
    error(error) {
        throw error;
    }
}

function numbers(tensor) {
    if (tensor.encoding === '|') {
        return tensor.values;
    }
    const bytes = tensor.data.slice();  // a copy, which is aligned
    return new Float32Array(bytes.buffer, 0, bytes.length / 4);
}

function weights(layer) {
    const stored = layer.inputs.flatMap((argument) => argument.value).filter((value) => value.initializer);
    return stored.map((value) => {
        const { dataType, shape } = value.initializer.type;
        const seen = { name: value.name, type: dataType, shape: shape.dimensions.map(Number) };
        if (dataType === 'float32') {
            seen.sum = numbers(new base.Tensor(value.initializer)).reduce((sum, number) => sum + number, 0);
        }
        return seen;
    });
}

function see(layer) {
    return { name: layer.name, type: layer.type.name, weights: weights(layer) };
}

function layers(graph) {
    return graph.nodes.flatMap((layer) => [layer, ...(layer.chain || [])]).map(see);
}

const service = new view.ModelFactoryService(new Host());
for (const file of files) {
    const model = await service.open(new Context(service._host, file));
    console.log(JSON.stringify({ format: model.format, layers: model.modules.flatMap(layers) }));
}
